import { stat } from 'node:fs/promises';
import type { Connector } from '../core/connector.ts';
import type { Destination } from '../core/destination.ts';
import type { Source } from '../core/source.ts';
import type { StateStore } from '../core/state.ts';
import type { ObjectStorage } from '../core/storage.ts';
import type { Checkpoint } from '../core/stream.ts';
import type { DemoOptions, DemoReport } from '../demo/demo.ts';
import type { ProjectContext } from '../engine/context.ts';
import type { DiagnoseOptions, DiagnosisReport } from '../engine/diagnose-types.ts';
import type { LedgerRebuild, RebuildOptions } from '../engine/ledger-rebuild.ts';
import type { StreamState } from '../engine/state-ops.ts';
import type * as QuarantineOps from '../engine/quarantine-ops.ts';
import type * as SchemaOps from '../engine/schema-ops.ts';
import type * as ShadowCompare from '../engine/shadow-compare.ts';
import type * as ShadowExchange from '../engine/shadow-exchange.ts';
import type {
  QuarantinedRecord,
  QuarantineReadOptions,
  QuarantineScope,
  QuarantineSummary,
  ReplayOptions,
} from '../engine/quarantine-ops.ts';
import type { RepairOptions, RepairReport } from '../engine/repair.ts';
import type { PipelinePlan, RunOptions, RunReport } from '../engine/types.ts';
import type { VerifyOptions, VerifyReport } from '../engine/verify-types.ts';
import type { ApiOptions, ApiServer } from '../generate/api/api-options.ts';
import type { GeneratedFile, GenerateFilesOptions } from '../generate/files/generate-files.ts';
import type { ModelOptions } from '../generate/open-model.ts';
import type * as MadeTables from '../generate/tables/generate-tables.ts';
import type { GenerateTablesOptions } from '../generate/tables/generate-tables.ts';
import type { GeneratedTable } from '../generate/tables/table-maker.ts';

/** What the commands need of the rest of the program. Each is loaded when it is first asked for; tests bring fakes. */
export interface Services {
  readonly env: Readonly<Record<string, string | undefined>>;
  connectors(): Promise<ReadonlyMap<string, Connector>>;
  /** Reads the project at a path, or the nearest one. */
  openProject(path: string | undefined): Promise<ProjectContext>;
  plan(context: ProjectContext, pipeline: string, options: RunOptions): Promise<PipelinePlan>;
  run(context: ProjectContext, pipeline: string, options: RunOptions): Promise<RunReport>;
  verify(context: ProjectContext, pipeline: string, options: VerifyOptions): Promise<VerifyReport>;
  diagnose(context: ProjectContext, pipeline: string, options: DiagnoseOptions): Promise<DiagnosisReport>;
  compareShadow: typeof ShadowCompare.compareShadow;
  promoteShadow: typeof ShadowExchange.promoteShadow;
  rollbackShadow: typeof ShadowExchange.rollbackShadow;
  dropShadow: typeof ShadowExchange.dropShadow;
  repair(context: ProjectContext, pipeline: string, options: RepairOptions): Promise<RepairReport>;
  listQuarantine(
    context: ProjectContext,
    pipeline: string,
    scope: QuarantineScope,
  ): Promise<QuarantineSummary[]>;
  readQuarantine(
    context: ProjectContext,
    pipeline: string,
    options: QuarantineReadOptions,
  ): AsyncIterable<QuarantinedRecord>;
  replayQuarantine(
    context: ProjectContext,
    pipeline: string,
    options: ReplayOptions,
  ): Promise<RunReport | undefined>;
  dropQuarantine(context: ProjectContext, pipeline: string, scope: QuarantineScope): Promise<number>;
  exportQuarantine(
    context: ProjectContext,
    pipeline: string,
    scope: QuarantineScope & { to: string },
  ): Promise<number>;
  openSource(context: ProjectContext, connection: string): Promise<Source>;
  openDestination(context: ProjectContext, connection: string): Promise<Destination>;
  openState(context: ProjectContext): Promise<StateStore>;
  /** The files of a lake. */
  openStorage(context: ProjectContext, connection: string): Promise<ObjectStorage>;
  showState(context: ProjectContext, pipeline: string, select: string[]): Promise<StreamState[]>;
  showSchemas: typeof SchemaOps.showSchemas;
  diffSchemas: typeof SchemaOps.diffSchemas;
  schemaHistory: typeof SchemaOps.schemaHistory;
  acceptSchema: typeof SchemaOps.acceptSchema;
  setWatermark(context: ProjectContext, pipeline: string, stream: string, value: string): Promise<Checkpoint>;
  resetStream(context: ProjectContext, pipeline: string, stream: string): Promise<Checkpoint>;
  reloadFiles(
    context: ProjectContext,
    pipeline: string,
    stream: string,
    files: readonly string[],
  ): Promise<string[]>;
  forgetFiles(
    context: ProjectContext,
    pipeline: string,
    stream: string,
    files: readonly string[],
  ): Promise<string[]>;
  rebuildLedger(
    context: ProjectContext,
    pipeline: string,
    stream: string,
    options: RebuildOptions,
  ): Promise<LedgerRebuild>;
  /** Undefined when a demo that was kept has been opened again. */
  demo(options: DemoOptions): Promise<DemoReport | undefined>;
  generateFiles(model: ModelOptions, options: GenerateFilesOptions): Promise<GeneratedFile[]>;
  generateTables(
    context: ProjectContext,
    connection: string,
    model: ModelOptions,
    options: GenerateTablesOptions,
  ): Promise<GeneratedTable[]>;
  /** Has days pass in tables that were made so. */
  liveOn(
    context: ProjectContext,
    connection: string,
    days: number,
    options: GenerateTablesOptions,
  ): Promise<GeneratedTable[]>;
  serveApi(model: ModelOptions, options: ApiOptions): Promise<ApiServer>;
}

export function realServices(): Services {
  const connectors: Services['connectors'] = async () =>
    (await import('../connectors/registry.ts')).connectors();
  return {
    env: process.env,
    connectors,
    openProject: async (path) => {
      const { loadProject } = await import('../config/load-project.ts');
      const known = await connectors();
      const where = path === undefined || (await isFolder(path)) ? { directory: path } : { file: path };
      return { project: await loadProject({ ...where, connectors: known }), connectors: known };
    },
    plan: async (...args) => (await import('../engine/plan.ts')).planPipeline(...args),
    run: async (...args) => (await import('../engine/run.ts')).runPipeline(...args),
    verify: async (...args) => (await import('../engine/verify.ts')).verifyPipeline(...args),
    diagnose: async (...args) => (await import('../engine/diagnose.ts')).diagnosePipeline(...args),
    compareShadow: async (...args) => (await import('../engine/shadow-compare.ts')).compareShadow(...args),
    promoteShadow: async (...args) => (await shadows()).promoteShadow(...args),
    rollbackShadow: async (...args) => (await shadows()).rollbackShadow(...args),
    dropShadow: async (...args) => (await shadows()).dropShadow(...args),
    repair: async (...args) => (await import('../engine/repair.ts')).repairPipeline(...args),
    listQuarantine: async (...args) => (await quarantine()).listQuarantine(...args),
    async *readQuarantine(...args) {
      yield* (await quarantine()).readQuarantine(...args);
    },
    replayQuarantine: async (...args) => (await quarantine()).replayQuarantine(...args),
    dropQuarantine: async (...args) => (await quarantine()).dropQuarantine(...args),
    exportQuarantine: async (...args) => (await quarantine()).exportQuarantine(...args),
    openSource: async (context, connection) =>
      (await import('../engine/context.ts')).openSource(context, connection, few(context)),
    openDestination: async (context, connection) =>
      (await import('../engine/context.ts')).openDestination(context, connection, few(context)),
    openState: async (context) => (await import('../engine/context.ts')).openState(context),
    openStorage: async (...args) => (await import('../engine/context.ts')).openStorage(...args),
    showState: async (...args) => (await import('../engine/state-ops.ts')).showState(...args),
    showSchemas: async (...args) => (await schemas()).showSchemas(...args),
    diffSchemas: async (...args) => (await schemas()).diffSchemas(...args),
    schemaHistory: async (...args) => (await schemas()).schemaHistory(...args),
    acceptSchema: async (...args) => (await schemas()).acceptSchema(...args),
    setWatermark: async (...args) => (await import('../engine/state-ops.ts')).setWatermark(...args),
    resetStream: async (...args) => (await import('../engine/state-ops.ts')).resetStream(...args),
    reloadFiles: async (...args) => (await import('../engine/ledger-ops.ts')).reloadFiles(...args),
    forgetFiles: async (...args) => (await import('../engine/ledger-ops.ts')).forgetFiles(...args),
    rebuildLedger: async (...args) => (await import('../engine/ledger-rebuild.ts')).rebuildLedger(...args),
    generateFiles: async (model, options) => {
      const { openModel } = await import('../generate/open-model.ts');
      return (await import('../generate/files/generate-files.ts')).generateFiles(openModel(model), options);
    },
    generateTables: async (context, connection, model, options) =>
      (await import('../library-generate.ts')).inDatabase(context, connection, async (system) =>
        (await madeTables()).generateTables(system, model, options),
      ),
    liveOn: async (context, connection, days, options) =>
      (await import('../library-generate.ts')).inDatabase(context, connection, async (system) =>
        (await madeTables()).liveOn(system, days, options),
      ),
    serveApi: async (...args) => (await import('../generate/api/serve-api.ts')).serveApi(...args),
    demo: async (options) => (await import('../demo/demo.ts')).runDemo(options),
  };
}

function shadows(): Promise<typeof ShadowExchange> {
  return import('../engine/shadow-exchange.ts');
}

function schemas(): Promise<typeof SchemaOps> {
  return import('../engine/schema-ops.ts');
}

function madeTables(): Promise<typeof MadeTables> {
  return import('../generate/tables/generate-tables.ts');
}

function quarantine(): Promise<typeof QuarantineOps> {
  return import('../engine/quarantine-ops.ts');
}

/** Looking at a system takes one worker, not those of a run. */
function few({ project }: ProjectContext): { memoryBytes: number; workers: number } {
  return { memoryBytes: project.memoryBytes, workers: 1 };
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
