/** A lake that is read on: what is new is found by its log, whatever happens to its files. */
import { cpSync, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { LakeSide } from '../../guarantees/lake-side.ts';
import { compactTable } from '../../src/connectors/lake/compact.ts';
import { lakeConnector } from '../../src/connectors/lake/index.ts';
import { openTableLog } from '../../src/connectors/lake/log.ts';
import { lakeOptions } from '../../src/connectors/lake/options.ts';
import { sweepLake } from '../../src/connectors/lake/sweep.ts';
import { thisOwner } from '../../src/connectors/shared/staging.ts';
import { openLocalStorage } from '../../src/connectors/shared/local-storage.ts';
import { connectors } from '../../src/connectors/registry.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import type { Source } from '../../src/core/source.ts';
import { Session } from '../../src/duckdb/session.ts';
import type { ProjectContext } from '../../src/engine/context.ts';
import { runPipeline } from '../../src/engine/run.ts';
import type { RunOptions, StreamReport } from '../../src/engine/types.ts';
import { verifyPipeline } from '../../src/engine/verify.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';
import { load, type LoadPlan, schemaOf } from '../../src/testing/kit-load.ts';
import { readSlice } from '../../src/testing/read-slice.ts';
import { SIGNAL, streamOf, WHOLE } from '../../src/testing/source-suite.ts';

const SCHEMA = schemaOf('id int64, v utf8 null, at timestamptz null');
const BY_KEY: LoadPlan['supersede'] = { kind: 'key', key: ['id'] };

/** A lake `a`, and a lake `b` that is a copy of its table `t`. */
class Onward implements AsyncDisposable {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'sluice-onward-'));
  readonly a = new LakeSide(this.folder);
  readonly b = new LakeSide(this.folder);
  readonly storage;
  stream: StreamOptions;
  name = 't';
  lake: Record<string, unknown> = {};

  constructor(stream: StreamOptions) {
    this.stream = stream;
    this.a.connection = { type: 'lake', path: './a' };
    this.b.connection = { type: 'lake', path: './b' };
    this.storage = openLocalStorage(this.a.root);
  }

  get place(): { name: string; directory: string; memoryBytes: number; workers: number } {
    return { name: 'a', directory: this.folder, memoryBytes: 256 << 20, workers: 2 };
  }

  /** Loads rows into `a`. */
  async write(
    rows: Cell[][],
    supersede?: LoadPlan['supersede'],
    more: Partial<LoadPlan> = {},
  ): Promise<void> {
    const destination = await lakeConnector.openDestination!(lakeOptions.parse({ path: './a' }), this.place);
    await load(destination, 't', { schema: SCHEMA, rows, ...(supersede && { supersede }), ...more });
    await destination.close();
  }

  async source(): Promise<Source> {
    return lakeConnector.openSource!(lakeOptions.parse({ path: './a', ...this.lake }), this.place);
  }

  async compact(): Promise<void> {
    const spill = path.join(this.folder, 'spill');
    const session = await Session.open({ memoryBytes: 128 << 20, threads: 1, tempDirectory: spill });
    const options = { storage: this.storage, session, scratch: path.join(this.folder, 'scratch') };
    await compactTable(openTableLog(this.storage, 't'), { ...options, owner: thisOwner('c') });
    session.close();
  }

  async context(): Promise<ProjectContext> {
    return {
      connectors: await connectors(),
      project: {
        directory: this.folder,
        connections: { a: { ...this.a.connection, ...this.lake }, b: this.b.connection } as never,
        pipelines: { p: { from: 'a', to: 'b', streams: { [this.name]: { table: 't', ...this.stream } } } },
        state: { type: 'sqlite', path: 'state.db' },
        memoryBytes: 512 << 20,
      },
    };
  }

  async attempt(options: RunOptions = {}): Promise<StreamReport> {
    return (await runPipeline(await this.context(), 'p', options)).streams[0]!;
  }

  async run(options: RunOptions = {}): Promise<{ rows: number; loaded: number }> {
    const { error, totals } = await this.attempt(options);
    if (error) throw new Error(`${error.code}: ${error.message}`);
    return { rows: totals.rows, loaded: totals.loaded };
  }

  /** The current rows of both are the same, by our own look and by verify. */
  async expectEqual(): Promise<void> {
    expect(await this.b.lines('t', 'current', ['id', 'v', 'at'])).toEqual(await this.a.lines('t'));
    const { streams } = await verifyPipeline(await this.context(), 'p', {});
    expect(streams[0]).toMatchObject({ status: 'equal', missing: 0, changed: 0 });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.a.close(), this.b.close()]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const some = (from: number, to: number, v: string, at: bigint | null = null): Cell[][] =>
  Array.from({ length: to - from }, (_, i) => [String(from + i), v, at === null ? null : String(at)]);

describe('a table of a lake, read on', () => {
  it.each([
    { upstream: 'merge', load: 'merge', cursor: '_sluice_loaded_at' },
    { upstream: 'merge', load: 'append', cursor: 'at' },
    { upstream: 'append', load: 'merge', cursor: 'at' },
    { upstream: 'append', load: 'append', cursor: '_sluice_loaded_at' },
  ] as const)(
    'by $upstream brings what is new by $load, and only that',
    async ({ upstream, load: how, cursor }) => {
      await using onward = new Onward({ load: how, cursor });
      const supersede = upstream === 'merge' ? BY_KEY : undefined;
      await onward.write(some(0, 5000, 'first', 1_000_000n));
      expect(await onward.run()).toEqual({ rows: 5000, loaded: 5000 });
      expect(await onward.run()).toEqual({ rows: 0, loaded: 0 });
      // A later row with an earlier time, one without, and one from the future.
      await onward.write(some(10, 20, 'late', 5n), supersede);
      await onward.write(some(20, 30, 'no time'), supersede);
      await onward.write(some(5000, 5010, 'future', 9_000_000_000_000_000n), supersede);
      expect(await onward.run()).toEqual({ rows: 30, loaded: 30 });
      await onward.expectEqual();
      // Files of several loads, which hold old rows and new ones.
      await onward.write(some(15, 25, 'again', 2_000_000n), supersede);
      await onward.compact();
      expect(await onward.run()).toEqual({ rows: 10, loaded: 10 });
      await onward.compact();
      expect(await onward.run()).toEqual({ rows: 0, loaded: 0 });
      // The same row twice between two runs: its newest version.
      await onward.write(some(0, 3, 'x', 3_000_000n), supersede);
      await onward.write(some(0, 3, 'y', 3_000_000n), supersede);
      expect((await onward.run()).loaded).toBe(3);
      await onward.expectEqual();
      expect(onward.b.root).not.toBe(onward.a.root);
    },
  );

  it('goes on from a watermark that was set by hand, from windows, and from an older checkpoint', async () => {
    await using onward = new Onward({ load: 'append', cursor: 'at' });
    await onward.write(some(0, 100, 'first', 1_000_000n));
    await onward.run();
    await onward.write(some(50, 150, 'second', 2_000_000n));
    const window = { from: '1970-01-01 00:00:02+00', to: '1970-01-01 00:00:03+00' };
    expect(await onward.run({ window })).toEqual({ rows: 100, loaded: 100 });
    expect((await onward.run()).loaded).toBe(0);
    await onward.expectEqual();
    await onward.b.commitCheckpoint('t', { cursor: ['at'], watermark: '1970-01-01 00:00:02.000000+00' });
    expect(await onward.run()).toEqual({ rows: 100, loaded: 0 });
    await onward.write(some(0, 10, 'third', 1n));
    expect(await onward.run()).toEqual({ rows: 10, loaded: 10 });
    await onward.expectEqual();
  });

  it('that was made anew under its name is read as a whole', async () => {
    await using onward = new Onward({ load: 'merge', cursor: '_sluice_loaded_at' });
    await onward.write(some(0, 100, 'old'));
    await onward.run();
    await onward.a.close();
    rmSync(onward.a.root, { recursive: true });
    await onward.write(some(0, 50, 'new'));
    await onward.write(some(50, 100, 'new'));
    expect(await onward.run()).toMatchObject({ rows: 100 });
    expect(await onward.b.lines('t', 'current', ['v'])).toEqual(Array.from({ length: 100 }, () => 'new'));
  });

  it('that was restored from a backup and went another way is compared as a whole', async () => {
    await using onward = new Onward({ load: 'append', cursor: '_sluice_loaded_at' });
    await onward.write(some(0, 100, 'old'));
    const backup = path.join(onward.folder, 'backup');
    cpSync(onward.a.root, backup, { recursive: true });
    await onward.write(some(100, 200, 'lost'));
    expect(await onward.run()).toEqual({ rows: 200, loaded: 200 });
    rmSync(onward.a.root, { recursive: true });
    renameSync(backup, onward.a.root);
    await onward.write(some(200, 300, 'new'));
    await onward.write(some(50, 60, 'new'));
    // Those that are there are the same.
    expect(await onward.run()).toEqual({ rows: 200, loaded: 110 });
    expect(await onward.run()).toEqual({ rows: 0, loaded: 0 });
  });

  it('gives all versions by the name of its history', async () => {
    await using onward = new Onward({ load: 'replace' });
    onward.name = 't_history';
    await onward.write(some(0, 10, 'a'));
    await onward.write(some(5, 10, 'b'));
    expect(await onward.run()).toEqual({ rows: 15, loaded: 15 });
    const [row] = await onward.b.query(
      't',
      'SELECT count(*)::INT AS n, count(DISTINCT load_id)::INT AS loads, count(loaded_at)::INT AS times FROM t',
    );
    expect(row).toEqual({ n: 15, loads: 2, times: 15 });
  });

  it('is read in parts, which an interrupted load goes on with', async () => {
    await using onward = new Onward({ load: 'append', cursor: 'at' });
    onward.lake = { slice_size: '64 KB' };
    const wide = (from: number): Cell[][] =>
      Array.from({ length: 4000 }, (_, i) => [String(from + i), `${Math.random()} ${Math.random()}`, '1']);
    for (let part = 0; part < 4; part++) await onward.write(wide(part * 3000));
    const stop = new AbortController();
    const stopped = await onward.attempt({
      signal: stop.signal,
      workers: 1,
      onEvent: ({ kind }) => kind === 'slice-committed' && stop.abort(),
    });
    expect(stopped.status).toBe('stopped');
    const rest = await onward.run();
    expect(rest.rows).toBeLessThan(13_000);
    expect(stopped.totals.loaded + rest.loaded).toBe(13_000);
    await onward.expectEqual();
  });

  it('is loaded by days when these are over', async () => {
    await using onward = new Onward({ load: 'delete-insert', date: 'at' });
    const day = (n: number): bigint => BigInt(Date.UTC(2026, 6, n)) * 1000n;
    for (let n = 20; n < 24; n++) await onward.write(some(n * 10, n * 10 + 10, 'v', day(n)));
    const window = { from: '2026-07-20', to: '2026-07-24' };
    expect(await onward.run({ window })).toEqual({ rows: 40, loaded: 40 });
    await onward.write(some(225, 230, 'w', day(22)), BY_KEY);
    expect(await onward.run({ window: { from: '2026-07-22', to: '2026-07-23' } })).toEqual({
      rows: 10,
      loaded: 10,
    });
    expect(await onward.b.lines('t')).toEqual(await onward.a.lines('t'));
  });

  it('takes `where`, `columns`, `rename` and wider `types`, and says what is wrong with others', async () => {
    await using onward = new Onward({ load: 'replace' });
    await onward.write(some(0, 10, 'v'));
    onward.stream = {
      load: 'replace',
      where: 'id % 2 = 0',
      columns: ['id', 'v'],
      rename: { v: 'value' },
      types: { id: 'decimal(20,0)' },
    };
    expect((await onward.run()).loaded).toBe(5);
    expect(await onward.b.lines('t')).toEqual([0, 2, 4, 6, 8].map((id) => `${id}|v`));
    const wrong: [StreamOptions, RegExp][] = [
      [{ where: 'nope = 1' }, /where: Binder Error/],
      [{ types: { v: 'int64' } }, /"v" is VARCHAR in the lake/],
      [{ sql: 'SELECT 1' }, /by tables, not by queries/],
      [{ cursor: 'v' }, /a cursor is a whole number/],
    ];
    for (const [stream, message] of wrong) {
      onward.stream = { load: 'replace', ...stream };
      expect((await onward.attempt()).error?.message).toMatch(message);
    }
  });
});

describe('a snapshot of a lake', () => {
  it('is the same when its files were replaced, and says so when they are gone', async () => {
    await using onward = new Onward({ load: 'replace' });
    await onward.write(some(0, 1000, 'before'));
    const source = await onward.source();
    const snapshot = await source.open(SIGNAL);
    await onward.write(some(0, 1000, 'after'), BY_KEY);
    const stream = streamOf('t', []);
    const survey = await snapshot.survey(stream, undefined, {}, SIGNAL);
    const { rows } = await readSlice(await snapshot.read(stream, survey, WHOLE, SIGNAL));
    expect(new Set(rows.map(([, v]) => v))).toEqual(new Set(['before']));
    await sweepLake(onward.storage, { owner: thisOwner('s'), retentionMs: 0, now: () => Date.now() + 1e6 });
    const reader = snapshot.read(stream, survey, WHOLE, SIGNAL).then(readSlice);
    await expect(reader).rejects.toMatchObject({ code: 'engine.old_snapshot', recovery: 'transient' });
    await source.close();
    expect((await onward.run()).rows).toBe(1000);
    await onward.expectEqual();
  });

  it('does not end early when it is closed in the middle', async () => {
    await using onward = new Onward({ load: 'replace' });
    await onward.write(some(0, 20_000, 'x'.repeat(200)));
    const source = await onward.source();
    const snapshot = await source.open(SIGNAL);
    const stream = streamOf('t', []);
    const survey = await snapshot.survey(stream, undefined, {}, SIGNAL);
    const reader = await snapshot.read(stream, survey, WHOLE, SIGNAL);
    if (reader.format !== 'batches') throw new Error('not batches');
    const batches = reader.batches()[Symbol.asyncIterator]();
    await batches.next();
    // Another stream has asked for a new one: who reads goes on.
    await snapshot.close();
    await batches.next();
    await source.close();
    await expect(batches.next()).rejects.toMatchObject({ code: 'engine.old_snapshot' });
    await reader.close();
  });

  it('refuses files that hold less than the log says', async () => {
    await using onward = new Onward({ load: 'replace' });
    await onward.write(some(0, 100, 'a'));
    await onward.write(some(100, 200, 'b'));
    const [first, second] = (await onward.a.state('t'))!.files.map(({ key }) =>
      path.join(onward.a.root, key),
    );
    const session = await Session.open({ memoryBytes: 128 << 20, threads: 1, tempDirectory: onward.folder });
    await session.run(
      `COPY (SELECT * FROM read_parquet('${first}') LIMIT 40) TO '${second}' (FORMAT parquet)`,
      'damaging',
    );
    session.close();
    onward.stream = { load: 'replace', key: 'id' };
    const { error } = await onward.attempt();
    expect(error).toMatchObject({ code: 'lake.row_count' });
    expect(existsSync(onward.b.root) && (await onward.b.schema('t'))).toBeFalsy();
  });
});
