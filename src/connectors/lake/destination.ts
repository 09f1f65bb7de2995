import { availableParallelism } from 'node:os';
import type { ComparedTable, ComparedTables } from '../../core/compare.ts';
import type { LimitsRequest, TableLimits } from '../../core/diagnose.ts';
import type { ConnectorContext } from '../../core/connector.ts';
import type { Destination, TableSpec, TableState, TableWriter } from '../../core/destination.ts';
import { ConflictError } from '../../core/errors.ts';
import { engineMemory, lanesWithin } from '../../core/memory.ts';
import { changesOfJson } from '../../core/schema-changes.ts';
import { schemaFromJson } from '../../core/schema.ts';
import type { SideTables } from '../../core/side-tables.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import { openStorage } from '../shared/open-storage.ts';
import type { ThreadPool } from '../shared/thread-pool.ts';
import { LakeComparable } from './compare.ts';
import { type Lane, lanePool } from '../shared/lane/lane.ts';
import { StagingFolder } from '../shared/staging-folder.ts';
import { openTableLog, type TableLog } from './log.ts';
import type { LakeOptions } from './options.ts';
import { currentSchema, type FoldedState } from './records.ts';
import { asideFolder, dropTable, isDropped, LakeSideTables } from './side-tables.ts';
import { sweepLake } from './sweep.ts';
import { LakeTableWriter } from './table-writer.ts';

export class LakeDestination implements Destination {
  readonly beside: SideTables;
  readonly #storage: ObjectStorage;
  readonly #options: LakeOptions;
  /** Of each DuckDB that works for a run. */
  readonly #engineBytes: number;
  readonly #pool: ThreadPool<Lane>;
  readonly #staging: StagingFolder;
  /** Of tables beside those of readers, which may be dropped. */
  readonly #aside: boolean;
  readonly #logs = new Map<string, TableLog>();

  /** `root`: the path that readers have, where `options.path` is one beside it. */
  constructor(
    storage: ObjectStorage,
    options: LakeOptions,
    context: ConnectorContext,
    root: string = options.path,
  ) {
    const at = (place: string): LakeOptions => ({
      ...options,
      path: place === '' ? root : `${root.replace(/\/+$/, '')}/${asideFolder(place)}`,
    });
    const open = (place: string): Promise<ObjectStorage> => openStorage(at(place), context);
    this.beside = new LakeSideTables({
      storage: open,
      destination: async (place) => new LakeDestination(await open(place), at(place), context, root),
    });
    this.#aside = root !== options.path;
    this.#options = options;
    this.#storage = storage;
    this.#staging = new StagingFolder(storage);
    // Whoever asks for more waits for one.
    const lanes = Math.max(1, Math.min(context.workers, lanesWithin(context.memoryBytes)));
    this.#engineBytes = engineMemory(context.memoryBytes, lanes);
    this.#pool = lanePool(
      {
        memoryBytes: this.#engineBytes,
        tempDirectory: this.#staging.path('spill'),
        threads: 1,
      },
      lanes,
    );
  }

  async check(): Promise<{ title: string }> {
    return { title: this.#storage.describe() };
  }

  async describe(table: string): Promise<TableState | undefined> {
    const state = await this.#read(table);
    return state && tableState(state);
  }

  /** Files hold whatever a batch does. */
  async limits({ merges }: LimitsRequest): Promise<TableLimits> {
    return { columns: [], unique: merges };
  }

  async compare(): Promise<ComparedTables> {
    return { table: (name) => this.#compared(name), close: async () => {} };
  }

  async #compared(table: string): Promise<ComparedTable | undefined> {
    const state = await this.#read(table);
    if (!state) return undefined;
    const facts = tableState(state);
    const rows = new LakeComparable({
      storage: this.#storage,
      state,
      schema: facts.schema,
      session: {
        memoryBytes: this.#engineBytes,
        tempDirectory: this.#staging.scratch(),
        threads: availableParallelism(),
      },
    });
    return { state: facts, rows, close: () => rows.close() };
  }

  async openTable(spec: TableSpec): Promise<TableWriter> {
    this.#pool.warm();
    await this.#staging.announce();
    const log = this.#log(spec.table);
    const state = await this.#read(spec.table);
    if (this.#aside && !state) await dropTable(this.#storage, spec.table);
    if ((state?.version ?? 0) !== spec.expectedVersion) {
      throw new ConflictError(
        `loading table "${spec.table}": somebody else has committed since the plan was made`,
        {
          code: 'lake.conflict',
          remedy: 'run again',
          details: { table: spec.table },
        },
      );
    }
    const context = {
      storage: this.#storage,
      options: this.#options,
      pool: this.#pool,
      owner: this.#staging.owner,
      scratch: () => this.#staging.scratch(),
    };
    return new LakeTableWriter(context, spec, log, state);
  }

  async close(): Promise<void> {
    await this.#pool.close();
    if (!(await this.#staging.leave())) return;
    const tables = [...this.#logs.keys()];
    // Tidying up is not worth an error: what is left now is swept by the next run.
    await sweepLake(this.#storage, {
      owner: this.#staging.owner,
      tables,
      retentionMs: this.#options.retention * 1000,
    }).catch(() => undefined);
  }

  async #read(table: string): Promise<FoldedState | undefined> {
    if (this.#aside && (await isDropped(this.#storage, table))) return undefined;
    return this.#log(table).read();
  }

  #log(table: string): TableLog {
    let log = this.#logs.get(table);
    if (!log) this.#logs.set(table, (log = openTableLog(this.#storage, table)));
    return log;
  }
}

function tableState(state: FoldedState): TableState {
  const schema = currentSchema(state);
  return {
    schema: schema ? schemaFromJson(schema) : { fields: [], key: [] },
    checkpoint: state.checkpoint,
    stream: state.stream,
    rows: state.rows,
    bytes: state.bytes,
    version: state.version,
    fence: state.fence,
    schemas: state.schemas.map(({ seq: commit, at, run, schema: after }, i) => ({
      version: i + 1,
      commit,
      at,
      run,
      changes: changesOfJson(state.schemas[i - 1]?.schema, after),
    })),
  };
}
