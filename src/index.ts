/** The public interface of the package. What is not named here may change at any time. */

// A project, and what can be done with it.
export {
  custom,
  defineProject,
  duckdb,
  dump,
  env,
  files,
  lake,
  mysql,
  postgres,
  rest,
  singer,
  singerMessages,
} from './config/define.ts';
export { diagnose, openCatalog, plan, quarantine, repair, run, schema, shadow, verify } from './library.ts';
export type { ProjectInput, ProjectOptions } from './library.ts';
export type { RequestToSign, SignRequest } from './connectors/rest/options.ts';
export type { CustomStream, RecordsRequest, Yielded } from './connectors/custom/options.ts';
export type { PipelineDefinition, ProjectDefinition, StreamDefinition } from './config/define.ts';
export type { ConnectionConfig } from './core/project.ts';

// Made-up records, for trying and testing.
export { generate, serveApi } from './library-generate.ts';
export type { DatasetOptions } from './generate/dataset.ts';
export type { ModelOptions } from './generate/open-model.ts';
export type { GeneratedFile, GenerateFilesOptions } from './generate/files/generate-files.ts';
export type { GenerateTablesOptions } from './generate/tables/generate-tables.ts';
export type { GeneratedTable } from './generate/tables/table-maker.ts';
export type { DriftKind } from './generate/model.ts';
export type { FaultKind, FaultOptions } from './generate/faults.ts';
export type { ApiAuth, ApiOptions, ApiRequest, ApiServer, Paging } from './generate/api/api-options.ts';
export type { Hostility } from './generate/api/hostility.ts';

// What comes back.
export type {
  QuarantinedRecord,
  QuarantineReadOptions,
  QuarantineScope,
  QuarantineSummary,
  ReplayOptions,
} from './engine/quarantine-ops.ts';
export type { RepairedPart, RepairOptions, RepairReport } from './engine/repair.ts';
export type {
  AcceptedSchema,
  SchemaColumn,
  SchemaDiff,
  SchemaDiffOptions,
  SchemaHistory,
  SchemaScope,
  StreamSchema,
} from './engine/schema-ops.ts';
export type {
  ExchangeReport,
  PromoteOptions,
  ShadowCompareOptions,
  ShadowComparison,
  ShadowDifference,
  ShadowReport,
  ShadowScope,
} from './engine/shadow-types.ts';
export type { PipelinePlan, RunOptions, RunReport, StreamPlan, StreamReport } from './engine/types.ts';
export type {
  DiagnosedProblem,
  DiagnoseEvent,
  DiagnoseOptions,
  DiagnosisReport,
  StreamDiagnosis,
} from './engine/diagnose-types.ts';
export type {
  RowDifference,
  StreamComparison,
  VerifyEvent,
  VerifyOptions,
  VerifyReport,
} from './engine/verify-types.ts';
export type { Alert, AlertName } from './core/alerts.ts';
export type { ErrorInfo, Listener, RunEvent, RunStatus, StreamStatus, StreamTotals } from './core/events.ts';
export type { Catalog, QueryOptions } from './catalog/index.ts';
export type { QueryResult } from './catalog/query.ts';
export type { QueryFormat, ResultColumn, RowBatches } from './catalog/render.ts';
export type {
  ColumnInfo,
  PartitionSummary,
  SchemaChange,
  TableDescription,
  TableSummary,
} from './catalog/summary.ts';
export {
  AuthError,
  CancelledError,
  ConfigError,
  ConflictError,
  DataError,
  InternalError,
  SchemaError,
  SluiceError,
  TransientError,
} from './core/errors.ts';
export type { ErrorDetail, Recovery } from './core/errors.ts';

// For authors of connectors.
export type { Capabilities, Connector, ConnectorContext } from './core/connector.ts';
export type {
  BatchesReader,
  BytesReader,
  CopyForm,
  CursorFacts,
  DecodeFacts,
  DecoderSpec,
  FilesForm,
  FilesScan,
  DirectForm,
  SliceReader,
  Snapshot,
  Source,
  SourceFacts,
  StreamInfo,
  Survey,
} from './core/source.ts';
export type {
  ColumnLimits,
  DiagnoseRequest,
  Diagnosis,
  Fate,
  Finding,
  Limit,
  LimitsRequest,
  Problem,
  Suspicion,
  TableLimits,
} from './core/diagnose.ts';
export type {
  Bucket,
  Comparable,
  ComparedColumn,
  ComparedTable,
  CompareRequest,
  HashedRows,
  NamedRow,
  RowValues,
  Within,
} from './core/compare.ts';
export type {
  Committed,
  Destination,
  History,
  Load,
  MissingPart,
  RestoredPart,
  StageOptions,
  Supersede,
  TableParts,
  TableSpec,
  TableState,
  TableWriter,
} from './core/destination.ts';
export type {
  Checkpoint,
  LoadStrategy,
  PartitionBy,
  RunWindow,
  SchemaRules,
  Slice,
  SliceRange,
  StreamConfig,
} from './core/stream.ts';
export type { KeptDocument, KeptRecords, QuarantineFile } from './core/quarantine.ts';
export type { ByteRange, ListOptions, LocalCopies, ObjectStorage, StoredObject } from './core/storage.ts';
export type { Lease, LeaseHolder, RunRecord, RunStreamRecord, StateStore } from './core/state.ts';
export type { ExportCompression, ExportConfig, ExportFormat } from './core/export.ts';
export type { Field, Schema } from './core/schema.ts';
export type { ColumnChange, SchemaVersion } from './core/schema-changes.ts';
export type { LogicalType, TypeKind } from './core/types.ts';
export type { Decoder, DecoderFactory } from './core/decoder.ts';
export type { RingConsumer, RingProducer } from './core/byte-ring.ts';
export { Batch, Column } from './core/batch.ts';
export type { BatchReader } from './core/batch.ts';
