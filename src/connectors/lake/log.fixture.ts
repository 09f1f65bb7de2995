/** A lake in a temporary folder whose Parquet files are written by DuckDB, as the destination writes them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openLocalStorage } from '../shared/local-storage.ts';
import { fileChecksum } from '../shared/file-checksum.ts';
import { dataKey, partitionOf } from './layout.ts';
import { openTableLog } from './log.ts';
import { type CommitDraft, type FoldedState, schemaVersionFor } from './records.ts';
import type { SchemaJson } from '../../core/schema.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import type { PartitionBy } from '../../core/stream.ts';
import { duckText } from '../../duckdb/types.ts';
import { Session } from '../../duckdb/session.ts';

/** A copy whose methods can be replaced one by one. */
export function copyOf(of: ObjectStorage): ObjectStorage {
  return {
    get: (key) => of.get(key),
    read: (key, range, signal) => of.read(key, range, signal),
    putIfAbsent: (key, bytes) => of.putIfAbsent(key, bytes),
    put: (key, bytes) => of.put(key, bytes),
    upload: (key, path) => of.upload(key, path),
    list: (prefix, options) => of.list(prefix, options),
    delete: (keys) => of.delete(keys),
    fetch: (keys, signal) => of.fetch(keys, signal),
    localPath: (key) => of.localPath(key),
    describe: () => of.describe(),
  };
}

/** `id int64, total decimal(10,2) null, …`; the first column is the key unless `key` says otherwise. */
export function schemaOf(columns: string, key?: string[]): SchemaJson {
  const fields = columns.split(/, (?![^(]*\))/).map((column) => {
    const [name, type, nullable] = column.split(' ');
    return { name: name!.replaceAll('_~', ' '), type: type!, nullable: nullable === 'null' };
  });
  return { fields, key: key ?? [fields[0]!.name] };
}

interface FixtureLoad {
  schema: SchemaJson;
  /** A query for the source columns. */
  rows: string;
  /** Load id; also makes the file name. */
  load: string;
  op?: string;
  partition?: { by: PartitionBy; value: string | null };
  more?: Partial<CommitDraft>;
}

export interface FixtureLake {
  root: string;
  storage: ObjectStorage;
  session: Session;
  /** Writes a file without committing it. */
  write(table: string, load: FixtureLoad): Promise<CommitDraft['add'][number]>;
  load(table: string, load: FixtureLoad): Promise<FoldedState>;
  close(): Promise<void>;
}

export async function makeLake(): Promise<FixtureLake> {
  const base = await mkdtemp(join(tmpdir(), 'sluice-lake-'));
  // A root that contains every character that is special to somebody.
  const root = join(base, `the [la]ke's *?#% ü`);
  const storage = openLocalStorage(root);
  const session = await Session.open({
    memoryBytes: 256 << 20,
    threads: 1,
    tempDirectory: join(base, 'temp'),
  });
  let files = 0;

  const write: FixtureLake['write'] = async (table, load) => {
    const path = join(base, `${files++}.parquet`);
    const at = `TIMESTAMPTZ '2026-01-01 00:00:00.000001+00'`;
    const meta = `${at} AS _sluice_loaded_at, ${duckText(load.load)} AS _sluice_load_id, ${duckText(load.op ?? 'upsert')} AS _sluice_op`;
    const [written] = await session.rows(
      `COPY (SELECT *, ${meta} FROM (${load.rows})) TO ${duckText(path)} (FORMAT parquet, COMPRESSION zstd, RETURN_STATS)`,
      'writing a fixture',
    );
    const partition = load.partition ? partitionOf(load.partition.by, load.partition.value) : {};
    const state = await openTableLog(storage, table).read();
    const key = dataKey({ table, partition, slice: `${load.load}-s${files}`, part: 0 });
    const crc32 = await fileChecksum(path);
    await storage.upload(key, path);
    const bytes = Number(written!['file_size_bytes']);
    return {
      key,
      rows: Number(written!['count']),
      bytes,
      crc32,
      partition,
      schema: schemaVersionFor(state, load.schema).version,
    };
  };

  return {
    root,
    storage,
    session,
    write,
    load: async (table, load) => {
      const add = load.more?.add ?? [await write(table, load)];
      const log = openTableLog(storage, table);
      const state = await log.read();
      const isNew = schemaVersionFor(state, load.schema).isNew;
      return log.append(
        {
          stream: `public.${table}`,
          kind: 'load',
          run: `run-${load.load}`,
          host: 'box',
          load: load.load,
          fence: 1,
          at: `2026-01-01 00:00:00+00`,
          add,
          remove: [],
          slices: ['s'],
          schema: isNew ? load.schema : undefined,
          partitionBy: load.partition?.by,
          ...load.more,
        },
        state?.version ?? 0,
      );
    },
    close: async () => {
      session.close();
      await rm(base, { recursive: true, force: true });
    },
  };
}
