import { rmSync } from 'node:fs';
import type { Load, StageOptions, Supersede, TableSpec, TableWriter } from '../../core/destination.ts';
import { InternalError, SchemaError } from '../../core/errors.ts';
import { schemaFromJson, schemaToJson } from '../../core/schema.ts';
import type { SliceReader } from '../../core/source.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import type { Checkpoint, Slice } from '../../core/stream.ts';
import { renderType, sameType, widen } from '../../core/types.ts';
import type { FileOptions, StagedFile } from './lane-protocol.ts';
import type { Lane, StageRequest } from './lane.ts';
import type { LanePool } from './lane-pool.ts';
import { dataKey, partitionLevels, partitionOf, type StagingOwner } from './layout.ts';
import type { TableLog } from './log.ts';
import type { LakeOptions } from './options.ts';
import { type CommitDraft, currentSchema, type FoldedState, schemaVersionFor } from './records.ts';
import { LOADED_AT, scanSql } from './records-sql.ts';
import { dataSelect, type LoadMark, metaSelect, minusSql } from './stage-sql.ts';
import { supersede, type SupersedeJob } from './supersede.ts';

/** What all writers of one run share. */
export interface WriterContext {
  storage: ObjectStorage;
  options: LakeOptions;
  pool: LanePool;
  owner: StagingOwner;
  /** A local folder that nobody else uses; it exists when something was written to it. */
  scratch(): string;
}

/** Private part of a Load. */
interface Parts {
  files: StagedFile[];
  directory: string;
}

export class LakeTableWriter implements TableWriter {
  readonly #context: WriterContext;
  readonly #spec: TableSpec;
  readonly #log: TableLog;
  readonly #partitionNames: string[];
  #state: FoldedState | undefined;
  #version: number;

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
    const task: StageRequest = {
      data: dataSelect(this.#spec.schema, reader.schema),
      meta: metaSelect(this.#mark(slice)),
      minus,
      files: { ...this.#fileOptions(directory), partitions: this.#levels() },
    };
    const staged = await this.#context.pool
      .use((lane) => lane.stage(task, reader, options.onRows, signal))
      .catch((error: unknown) => {
        // Attempts of a long run would otherwise pile up.
        rmSync(directory, { recursive: true, force: true });
        throw error;
      });
    const parts: Parts = { files: staged.files, directory };
    return {
      slice,
      facts: staged.facts,
      rows: sum(staged.files, 'rows'),
      bytes: sum(staged.files, 'bytes'),
      parts,
    };
  }

  async commit(
    loads: Load[],
    how: Supersede,
    checkpoint: Checkpoint | undefined,
  ): Promise<{ version: number; rows: number; bytes: number }> {
    const { storage, pool } = this.#context;
    // Who only shuts others out leaves the table as it is.
    const fenceOnly = loads.length === 0 && !checkpoint;
    if (this.#state && !fenceOnly && how.kind !== 'everything') checkGrows(this.#state, this.#spec);
    const staged = loads.flatMap((load) => (load.parts as Parts).files);
    const directory = this.#context.scratch();
    const replacement = this.#state
      ? await pool.use((lane) => supersede(this.#job(lane, staged, directory), how))
      : { remove: [], kept: [] };
    const { version: schema, isNew } = schemaVersionFor(this.#state, schemaToJson(this.#spec.schema));
    const add: CommitDraft['add'] = [];
    for (const load of loads) {
      for (const [part, file] of (load.parts as Parts).files.entries()) {
        const partition = this.#partitionFrom(file);
        const key = dataKey({ table: this.#spec.table, partition, slice: this.#loadId(load.slice), part });
        await storage.upload(key, file.path);
        add.push({ key, rows: file.rows, bytes: file.bytes, partition, schema });
      }
    }
    for (const [part, { partition, file }] of replacement.kept.entries()) {
      const key = dataKey({
        table: this.#spec.table,
        partition,
        slice: `${this.#loadId(loads[0]!.slice)}_kept`,
        part,
      });
      await storage.upload(key, file.path);
      add.push({ key, rows: file.rows, bytes: file.bytes, partition, schema, origin: 0 });
    }
    const state = await this.#log.append(
      {
        ...this.#draft(loads, checkpoint),
        add,
        remove: replacement.remove.map((file) => file.key),
        ...(isNew && !fenceOnly && { schema: schemaToJson(this.#spec.schema) }),
      },
      this.#version,
    );
    this.#state = state;
    this.#version = state.version;
    await this.abort(loads);
    rmSync(directory, { recursive: true, force: true });
    return { version: state.version, rows: state.rows, bytes: state.bytes };
  }

  async abort(loads: Load[]): Promise<void> {
    for (const load of loads) {
      try {
        rmSync((load.parts as Parts).directory, { recursive: true, force: true });
      } catch {
        // What stays is swept when this process is gone.
      }
    }
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

  #job(lane: Lane, staged: StagedFile[], directory: string): SupersedeJob {
    const { storage } = this.#context;
    return {
      storage,
      state: this.#asNow(this.#state!),
      schema: this.#spec.schema,
      lane,
      staged,
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
   * every snapshot of a lease; slices of one snapshot have no row in common.
   */
  #loadId(slice: Slice | undefined): string {
    const digits = this.#spec.loadedAt
      .replace(/[+Z].*$/, '')
      .replace(/\D/g, '')
      .padEnd(20, '0');
    return `${String(this.#spec.fence).padStart(10, '0')}-${digits}${slice ? `-${slice.id}` : ''}`;
  }
}

/** The engine never asks for less; files with more would no longer be readable as the table. */
function checkGrows(state: FoldedState, spec: TableSpec): void {
  const before = currentSchema(state);
  for (const was of before ? schemaFromJson(before).fields : []) {
    const is = spec.schema.fields.find((field) => field.name === was.name);
    const both = is && widen(was.type, is.type);
    if (is && both && sameType(both, is.type)) continue;
    throw new SchemaError(
      `loading table "${spec.table}": column "${was.name}" is ${renderType(was.type)} and cannot become ${is ? renderType(is.type) : 'nothing'}`,
      {
        code: 'lake.narrowing',
        details: { table: spec.table, column: was.name },
      },
    );
  }
}

function sum(files: StagedFile[], what: 'rows' | 'bytes'): number {
  return files.reduce((total, file) => total + file[what], 0);
}
