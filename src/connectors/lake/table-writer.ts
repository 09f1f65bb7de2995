import { rmSync } from 'node:fs';
import {
  type Committed,
  KEY_HASH,
  type Load,
  type StageOptions,
  type Supersede,
  type RowTrial,
  type TableSpec,
  type TableWriter,
  type TriedSlices,
} from '../../core/destination.ts';
import { ConflictError, DataError, InternalError, TransientError } from '../../core/errors.ts';
import { schemaFromJson, schemaToJson } from '../../core/schema.ts';
import type { SliceReader } from '../../core/source.ts';
import { sourceColumn } from '../../duckdb/types.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import type { Checkpoint, Slice } from '../../core/stream.ts';
import { checkGrows } from '../shared/check-grows.ts';
import type { ThreadPool } from '../shared/thread-pool.ts';
import type { FileOptions, StagedFile } from '../shared/lane/lane-protocol.ts';
import type { Lane, StageRequest } from '../shared/lane/lane.ts';
import { dataKey, partitionLevels, partitionOf } from './layout.ts';
import type { StagingOwner } from '../shared/staging.ts';
import { withFiles } from '../shared/local-files.ts';
import type { TableLog } from './log.ts';
import type { LakeOptions } from './options.ts';
import { type CommitDraft, currentSchema, type FoldedState, schemaVersionFor } from './records.ts';
import { LOADED_AT, scanSql } from './records-sql.ts';
import { dataSelect, type LoadMark, metaSelect, minusSql } from './stage-sql.ts';
import type { Replacement } from './rewrite.ts';
import { KeyTrial } from './key-trial.ts';
import { readsTable, refuseShared, supersede, type SupersedeJob } from './supersede.ts';

/** How often a compaction may get in the way of one commit; each has found something to merge. */
const COMMIT_ATTEMPTS = 3;

/** What all writers of one run share. */
export interface WriterContext {
  storage: ObjectStorage;
  options: LakeOptions;
  pool: ThreadPool<Lane>;
  owner: StagingOwner;
  /** A local folder that nobody else uses; it exists when something was written to it. */
  scratch(): string;
}

/** Private part of a Load. */
interface Parts {
  /** `key`: once the file has its final name. */
  files: (StagedFile & { key?: string })[];
  /** Of the groups whose rows they take the place of. */
  groups: StagedFile[];
  /** Folders that go with them. */
  directories: string[];
}

type NewFile = CommitDraft['add'][number];

export class LakeTableWriter implements TableWriter {
  readonly #context: WriterContext;
  readonly #spec: TableSpec;
  readonly #log: TableLog;
  readonly #partitionNames: string[];
  #state: FoldedState | undefined;
  #version: number;
  /** Keys of the commit under way. */
  #moved: string[] = [];

  constructor(context: WriterContext, spec: TableSpec, log: TableLog, state: FoldedState | undefined) {
    this.#context = context;
    this.#spec = spec;
    this.#log = log;
    this.#state = state;
    this.#version = spec.expectedVersion;
    this.#partitionNames = this.#levels().map((level) => level.name);
  }

  async stage(slice: Slice, reader: SliceReader, options: StageOptions, signal: AbortSignal): Promise<Load> {
    const directory = this.#context.scratch();
    const { distinct } = options;
    const state = this.#state;
    const minus =
      distinct && state && state.files.length > 0
        ? minusSql(this.#spec.schema, this.#scan(state), distinct)
        : undefined;
    const files = this.#fileOptions(directory);
    const rows = {
      data: dataSelect(this.#spec.schema, reader.schema),
      meta: metaSelect(this.#mark(slice)),
      minus,
      files: { ...files, partitions: this.#levels() },
    };
    const hashes = {
      data: `${sourceColumn(0)} AS ${KEY_HASH}`,
      meta: undefined,
      minus: undefined,
      files: { ...files, partitions: [] },
    };
    const task: StageRequest = {
      stream: this.#spec.stream,
      ...(options.supersede.kind === 'gone' ? hashes : rows),
    };
    const committed = minus === undefined ? [] : state!.files;
    const groups = options.supersede.kind === 'groups' ? await this.#groups(reader, signal) : undefined;
    const staged = await withFiles({ storage: this.#context.storage, files: committed, signal }, () =>
      this.#context.pool.use((lane) => lane.stage(task, reader, options.onRows, signal)),
    ).catch((error: unknown) => {
      // Attempts of a long run would otherwise pile up.
      for (const each of [directory, groups?.directory]) if (each !== undefined) discard(each);
      throw error;
    });
    const directories = [directory, ...(groups ? [groups.directory] : [])];
    const parts: Parts = { files: staged.files, groups: groups?.files ?? [], directories };
    return {
      slice,
      facts: staged.facts,
      rows: sum(staged.files, 'rows'),
      bytes: sum(staged.files, 'bytes'),
      parts,
    };
  }

  /** Its values in the types of the table. */
  async #groups(
    reader: SliceReader,
    signal: AbortSignal,
  ): Promise<{ directory: string; files: StagedFile[] }> {
    const groups = reader.groups!;
    const directory = this.#context.scratch();
    const { schema, stream } = this.#spec;
    const names = new Set(groups.schema.fields.map(({ name }) => name));
    const fields = schema.fields.filter(({ name }) => names.has(name));
    const task: StageRequest = {
      stream,
      data: dataSelect({ fields, key: [...groups.schema.key] }, groups.schema),
      meta: undefined,
      minus: undefined,
      files: { ...this.#fileOptions(directory), partitions: [] },
    };
    try {
      const { files } = await this.#context.pool.use((lane) =>
        lane.stage(task, groups, () => undefined, signal),
      );
      return { directory, files };
    } catch (error) {
      discard(directory);
      throw error;
    }
  }

  async commit(loads: Load[], how: Supersede, checkpoint: Checkpoint | undefined): Promise<Committed> {
    try {
      return await this.#commit(loads, how, checkpoint);
    } catch (error) {
      // Otherwise it is unknown whether the commit happened, or will.
      if (!(error instanceof TransientError)) await this.#takeBack();
      throw error;
    } finally {
      this.#moved = [];
    }
  }

  async #commit(loads: Load[], how: Supersede, checkpoint: Checkpoint | undefined): Promise<Committed> {
    // Who only shuts others out leaves the table as it is.
    const fenceOnly = loads.length === 0 && !checkpoint;
    const schemaNow = this.#state && currentSchema(this.#state);
    if (schemaNow && !fenceOnly && how.kind !== 'everything')
      checkGrows(schemaFromJson(schemaNow), this.#spec.schema, this.#spec.table);
    const { version: schema, isNew } = schemaVersionFor(this.#state, schemaToJson(this.#spec.schema));
    await this.#refuseShared(loads, how, checkpoint);
    let replacement = await this.#supersede(loads, how);
    // Hashes say what goes, and are no rows.
    const add = how.kind === 'gone' ? [] : await this.#upload(loads, schema);
    const draft = {
      ...this.#draft(loads, checkpoint),
      ...(isNew && !fenceOnly && { schema: schemaToJson(this.#spec.schema) }),
    };
    let state: FoldedState;
    for (let attempt = 1; ; attempt++) {
      const kept = await this.#uploadKept(loads, replacement, schema);
      const remove = replacement.remove.map((file) => file.key);
      try {
        state = await this.#log.append({ ...draft, add: [...add, ...kept], remove }, this.#version);
        break;
      } catch (error) {
        if (!isCompacted(error) || attempt === COMMIT_ATTEMPTS) throw error;
        await this.#context.storage.delete(kept.map((file) => file.key)).catch(() => undefined);
        discard(replacement.directory);
        // The table has the same rows in other files, so what was staged is right as it is.
        this.#state = await this.#log.read();
        replacement = await this.#supersede(loads, how);
      }
    }
    this.#state = state;
    this.#version = state.version;
    await this.abort(loads);
    discard(replacement.directory);
    return { version: state.version, rows: state.rows, bytes: state.bytes, changed: replacement.changed };
  }

  /** Removes files that no commit names: a full disk must not stay full of them until they are old enough for the sweep. */
  async #takeBack(): Promise<void> {
    try {
      const state = await this.#log.read();
      const known = new Set([...(state?.files ?? []), ...(state?.removed ?? [])].map((file) => file.key));
      await this.#context.storage.delete(this.#moved.filter((key) => !known.has(key)));
    } catch {
      // The error that brought us here tells more than this one would.
    }
  }

  /** Gives a file its final name. */
  async #move(key: string, file: string): Promise<void> {
    this.#moved.push(key);
    await this.#context.storage.upload(key, file);
  }

  async #supersede(loads: Load[], how: Supersede): Promise<Replacement & { directory: string }> {
    const directory = this.#context.scratch();
    const { storage, pool } = this.#context;
    const state = this.#state;
    if (!state && how.kind !== 'key') return { remove: [], kept: [], directory };
    const staged = loads.flatMap((load) => (load.parts as Parts).files);
    // In a second attempt they have their final names.
    const moved = staged.flatMap(({ key }) => (key === undefined ? [] : [{ key }]));
    const files = readsTable(how) ? [...(state?.files ?? []), ...moved] : [];
    const found = await withFiles({ storage, files }, () =>
      pool.use(async (lane) => {
        const groups = loads.flatMap((load) => (load.parts as Parts).groups);
        const job = { ...this.#job(lane, staged, directory), groups };
        if (state) return supersede({ ...job, state: this.#asNow(state) }, how);
        if (how.kind === 'key') await refuseShared({ ...job, state: undefined }, how.key);
        return { remove: [], kept: [] };
      }),
    );
    return { ...found, directory };
  }

  /** Loads that take the place of rows by key look for themselves; parts of a first one do so at its end. */
  async #refuseShared(loads: Load[], how: Supersede, checkpoint: Checkpoint | undefined): Promise<void> {
    if (this.#spec.givenKey !== true || !checkpoint || checkpoint.unfinished) return;
    if (!['nothing', 'everything', 'groups'].includes(how.kind)) return;
    const staged = loads.flatMap((load) => (load.parts as Parts).files);
    const state = how.kind === 'nothing' ? this.#state : undefined;
    const { storage, pool } = this.#context;
    const directory = this.#context.scratch();
    try {
      await withFiles({ storage, files: state?.files ?? [] }, () =>
        pool.use((lane) =>
          refuseShared(
            { ...this.#job(lane, staged, directory), state: state && this.#asNow(state) },
            this.#spec.schema.key.slice(),
          ),
        ),
      );
    } finally {
      discard(directory);
    }
  }

  /** Gives staged files their final names. */
  async #upload(loads: Load[], schema: number): Promise<NewFile[]> {
    const { storage } = this.#context;
    const add: NewFile[] = [];
    for (const load of loads) {
      for (const [part, file] of (load.parts as Parts).files.entries()) {
        const partition = this.#partitionFrom(file);
        const key = dataKey({ table: this.#spec.table, partition, slice: this.#loadId(load.slice), part });
        await this.#move(key, file.path);
        file.key = key;
        file.path = storage.localPath(key);
        add.push({ key, rows: file.rows, bytes: file.bytes, crc32: file.crc32, partition, schema });
      }
    }
    return add;
  }

  async #uploadKept(loads: Load[], { kept }: Replacement, schema: number): Promise<NewFile[]> {
    const add: NewFile[] = [];
    for (const [part, { partition, file }] of kept.entries()) {
      const slice = `${this.#loadId(loads[0]!.slice)}_kept`;
      const key = dataKey({ table: this.#spec.table, partition, slice, part });
      await this.#move(key, file.path);
      add.push({ key, rows: file.rows, bytes: file.bytes, crc32: file.crc32, partition, schema, origin: 0 });
    }
    return add;
  }

  async abort(loads: Load[]): Promise<void> {
    for (const load of loads) for (const each of (load.parts as Parts).directories) discard(each);
  }

  async tryRows(how: Supersede, error: unknown, tried: TriedSlices): Promise<RowTrial | undefined> {
    if (!(error instanceof DataError) || error.code !== 'lake.duplicate_key') return undefined;
    const { storage, pool } = this.#context;
    const { schema, stream } = this.#spec;
    const state = how.kind === 'nothing' ? this.#state : undefined;
    const place = {
      schema,
      stream,
      pool,
      error,
      files: (): FileOptions => ({ ...this.#fileOptions(this.#context.scratch()), partitions: [] }),
      table: state && { scan: this.#scan(state), rows: state.rows },
      reading: <T>(work: () => Promise<T>) => withFiles({ storage, files: state?.files ?? [] }, work),
    };
    return new KeyTrial(place, tried);
  }

  async close(): Promise<void> {}

  #draft(loads: Load[], checkpoint: Checkpoint | undefined): Omit<CommitDraft, 'add' | 'remove'> {
    const { spec, owner } = { spec: this.#spec, owner: this.#context.owner };
    const slices = loads.map((load) => load.slice.id);
    return {
      kind: loads.length > 0 ? 'load' : checkpoint ? 'checkpoint' : 'fence',
      stream: spec.stream,
      run: spec.run,
      host: owner.host,
      pid: owner.pid,
      load: loads[0] ? this.#loadId(loads[0].slice) : this.#loadId(undefined),
      fence: spec.fence,
      at: spec.loadedAt,
      slices,
      ...(checkpoint && { checkpoint }),
      ...(spec.partitionBy && { partitionBy: spec.partitionBy }),
    };
  }

  #job(lane: Lane, staged: StagedFile[], directory: string): Omit<SupersedeJob, 'state'> {
    const { storage } = this.#context;
    return {
      storage,
      schema: this.#spec.schema,
      at: this.#spec.loadedAt,
      lane,
      staged,
      groups: [],
      files: this.#fileOptions(directory),
    };
  }

  #scan(state: FoldedState): string {
    return scanSql({ storage: this.#context.storage, state: this.#asNow(state), files: state.files });
  }

  /** The state as if the schema of this load were already committed, so that old files are read in its types. */
  #asNow(state: FoldedState): FoldedState {
    const schema = schemaToJson(this.#spec.schema);
    if (!schemaVersionFor(state, schema).isNew) return state;
    return {
      ...state,
      schemas: [...state.schemas, { seq: state.version + 1, at: this.#spec.loadedAt, schema, changes: [] }],
    };
  }

  #fileOptions(directory: string): Omit<FileOptions, 'partitions'> {
    const { compression, row_group_rows: rowGroupRows, file_size: fileBytes } = this.#context.options;
    return {
      directory,
      compression: compression === 'none' ? 'uncompressed' : compression,
      rowGroupRows,
      fileBytes,
    };
  }

  /** Partition levels that come from a column of the stream; the processing date is the same for all rows. */
  #levels(): FileOptions['partitions'] {
    const by = this.#spec.partitionBy;
    if (!by || by.column === LOADED_AT) return [];
    const field = this.#spec.schema.fields.find((each) => each.name === by.column);
    if (!field)
      throw new InternalError(`there is no column "${by.column}" to partition by`, {
        code: 'lake.no_partition_column',
      });
    return partitionLevels(by, field.type);
  }

  #partitionFrom(file: StagedFile): Record<string, string | null> {
    const by = this.#spec.partitionBy;
    if (!by) return {};
    if (by.column === LOADED_AT) return partitionOf(by, this.#spec.loadedAt);
    return Object.fromEntries(this.#partitionNames.map((name, i) => [name, file.partition[i] ?? null]));
  }

  #mark(slice: Slice): LoadMark {
    return { loadedAt: this.#spec.loadedAt, loadId: this.#loadId(slice), operation: this.#spec.operation };
  }

  /**
   * Sorts as loads of one table follow each other: the fence rises with every lease, the moment of the snapshot with
   * every snapshot of a lease, the version with what is committed before a slice is planned again; slices of one plan have no row in
   * common. Who tries again without a commit in between writes the same names.
   */
  #loadId(slice: Slice | undefined): string {
    const digits = this.#spec.loadedAt
      .replace(/[+Z].*$/, '')
      .replace(/\D/g, '')
      .padEnd(20, '0');
    const { fence, expectedVersion } = this.#spec;
    const [lease, version] = [fence, expectedVersion].map((number) => String(number).padStart(10, '0'));
    return `${lease}-${digits}-${version}${slice ? `-${slice.id}` : ''}`;
  }
}

function discard(directory: string): void {
  try {
    rmSync(directory, { recursive: true, force: true });
  } catch {
    // What stays is swept when this process is gone.
  }
}

function isCompacted(error: unknown): boolean {
  return error instanceof ConflictError && error.code === 'lake.compacted';
}

function sum(files: StagedFile[], what: 'rows' | 'bytes'): number {
  return files.reduce((total, file) => total + file[what], 0);
}
