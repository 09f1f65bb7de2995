/**
 * For tests of connectors and state stores: the checks that every one of them has to pass, registered with vitest, and
 * a PostgreSQL server of one's own. The server alone, without vitest, is `sluice/testing/postgres`.
 */
export { startPostgres } from './postgres-server.ts';
export type { PostgresServer, PostgresServerOptions, ShutdownMode } from './postgres-server.ts';
export { STATE_STORE_CHECKS, testStateStore } from './state-conformance.ts';
export type { StateStoreCheck, StateStoreSuite } from './state-conformance.ts';
export { DESTINATION_CHECKS, testDestination } from './destination-conformance.ts';
export type { DestinationCheck, DestinationSuite, DestinationUnderTest } from './destination-suite.ts';
export { SOURCE_CHECKS, testSource } from './source-conformance.ts';
export { UNREACHABLE_SECRET } from './source-suite.ts';
export type { LabelledRow, SourceCheck, SourceSuite, SourceUnderTest } from './source-suite.ts';
export { MemoryDatabase, MemorySource } from './memory-source.ts';
export type { MemoryTransaction } from './memory-source.ts';
export { MemoryDestination, MemoryStore } from './memory-destination.ts';
export { fromBatch, toBatch } from './batch-rows.ts';
export type { Cell } from './batch-rows.ts';
export { serveApi } from '../generate/api/serve-api.ts';
export type { ApiAuth, ApiOptions, ApiRequest, ApiServer, Paging } from '../generate/api/api-options.ts';
export type { Hostility } from '../generate/api/hostility.ts';
export type { ModelOptions } from '../generate/open-model.ts';
