/** What `verify` compares and what it leaves out, by the shape of tables and the way they are loaded. */
import { describe, expect, it } from 'vitest';
import { LakeSide } from '../../guarantees/lake-side.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { verifyPipeline } from '../../src/engine/verify.ts';
import { Pair, type Streams } from '../support/pair.ts';
import { useServer } from '../support/server.ts';
import { EQUAL, named, rewriteLake, verify } from '../support/verification.ts';

const server = useServer();

describe('while the source changes', () => {
  it('rows without a cursor value and of the lookback are read again anyway, unless one is strict', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { load: 'merge', cursor: 'changed', lookback: { column: 'day', days: 3 } } },
      `CREATE TABLE t (id int PRIMARY KEY, n int, day date, changed timestamptz);
       INSERT INTO t SELECT g, g, current_date - g, CASE WHEN g <> 50 THEN timestamptz '2026-01-01' END FROM generate_series(0, 99) g`,
    );
    await pair.run();
    expect(await verify(pair, { strict: true })).toMatchObject(EQUAL);
    await pair.db.query('UPDATE t SET n = -1 WHERE id IN (1, 50)');
    expect(await verify(pair)).toMatchObject({ status: 'equal', waiting: 2 });
    expect(await verify(pair, { strict: true })).toMatchObject({ status: 'differs', waiting: 2 });
    await pair.run();
    expect(await verify(pair, { strict: true })).toMatchObject(EQUAL);
  });

  it('days that are not loaded yet, or were not asked for, are left out', async () => {
    await using pair = await Pair.open(
      server(),
      {
        'public.t': {
          load: 'delete-insert',
          date: { column: 'at', timezone: 'Asia/Tokyo' },
          first_run: 20 * 86_400,
        },
      },
      `CREATE TABLE t (id int PRIMARY KEY, n int, at timestamptz);
       INSERT INTO t SELECT g, g, now() - g * interval '1 hour' FROM generate_series(0, 999) g;
       INSERT INTO t SELECT g, g, NULL FROM generate_series(2000, 2009) g`,
    );
    await pair.run();
    const all = await verify(pair);
    expect(all).toMatchObject(EQUAL);
    expect(all.rows.source).toBeGreaterThan(460);
    expect(all.rows.source).toBeLessThan(520);
    // Rows without a date are read by every run.
    await pair.db.query('DELETE FROM t WHERE id = 2000; UPDATE t SET n = -1 WHERE id = 2001');
    expect(await verify(pair)).toMatchObject({ status: 'equal', waiting: 2 });
    expect(await verify(pair, { strict: true })).toMatchObject({ status: 'differs' });
    await pair.run();
    expect(await verify(pair, { strict: true })).toMatchObject(EQUAL);
    await pair.db.query('UPDATE t SET n = -1 WHERE id IN (200, 900); DELETE FROM t WHERE id = 300');
    expect(named(await verify(pair))).toEqual(['changed id 200: n', 'extra id 300']);
    const { rows } = await pair.db.query<{ day: string }>(
      `SELECT (at AT TIME ZONE 'Asia/Tokyo')::date::text AS day FROM t WHERE id = 200`,
    );
    const day = rows[0]!.day;
    const next = new Date(Date.parse(day) + 86_400_000).toISOString().slice(0, 10);
    const one = await verify(pair, { window: { from: day, to: next } });
    expect(one.rows).toEqual({ source: 24, target: 24 });
    expect(named(one)).toEqual(['changed id 200: n']);
  });
});

describe('whatever the table looks like', () => {
  it('names with quotes, names that the statements use, renamed and left out columns, partitions', async () => {
    const streams: Streams = {
      'public."Odd ""Table"""': {
        table: 'odd',
        load: 'append',
        cursor: 'at',
        key: ['Ke"y', 'k'],
        rename: { 'Ke"y': 'key one', n0: 'zero' },
        columns: { exclude: ['secret'] },
        partition_by: { column: 'at', by: 'month' },
      },
    };
    await using pair = await Pair.open(
      server(),
      streams,
      `CREATE TABLE "Odd ""Table""" ("Ke""y" text, k int, h text, v int, waiting bool, inside int, load_id text, loaded_at int, n0 int, c0 int, "r'" text, secret text, at timestamp DEFAULT '2026-01-01');
       INSERT INTO "Odd ""Table""" SELECT 'it''s ' || g, g % 2, 'h', g, true, 1, 'l', 2, g, 4, NULL, 'x', timestamp '2026-01-01' + g * interval '1 hour' FROM generate_series(1, 500) g`,
    );
    await pair.run();
    expect(await verify(pair)).toMatchObject({ ...EQUAL, rows: { source: 500, target: 500 } });
    await pair.db.query(
      `UPDATE "Odd ""Table""" SET secret = 'y', n0 = CASE WHEN n0 = 7 THEN 8 ELSE n0 END, "r'" = CASE WHEN n0 = 9 THEN '' END`,
    );
    expect(named(await verify(pair))).toEqual([
      "changed key one it's 7, k 1: zero",
      "changed key one it's 9, k 1: r'",
    ]);
  });

  it('tables without a key are compared as a multiset', async () => {
    await using pair = await Pair.open(
      server(),
      { 'public.t': { load: 'append', cursor: 'at' } },
      `CREATE TABLE t (n int, at timestamptz); INSERT INTO t SELECT g % 10, '2026-01-01' FROM generate_series(1, 1000) g`,
    );
    await pair.run();
    expect(await verify(pair)).toMatchObject({ ...EQUAL, rows: { source: 1000, target: 1000 }, key: [] });
    await pair.db.query(`DELETE FROM t WHERE ctid IN (SELECT ctid FROM t WHERE n = 3 LIMIT 2)`);
    await rewriteLake(pair, 't', (scan) => `SELECT * FROM ${scan} WHERE n <> 4`);
    const found = await verify(pair, { limit: 200 });
    expect(found).toMatchObject({ changed: 0, missing: 100, extra: 2 });
    expect(new Set(named(found))).toEqual(
      new Set(['missing n 4, at 2026-01-01 00:00:00+00', 'extra n 3, at 2026-01-01 00:00:00+00']),
    );
  });

  it('a table of 400 columns, of which some are new or of a wider type now', async () => {
    const columns = Array.from({ length: 400 }, (_, i) => `c${i} int`);
    await using pair = await Pair.open(
      server(),
      { 'public.wide': { load: 'merge', cursor: 'at' } },
      `CREATE TABLE wide (id int PRIMARY KEY, at timestamptz NOT NULL DEFAULT '2026-01-01', ${columns.join(', ')});
       INSERT INTO wide SELECT g, '2026-01-01', ${columns.map((_, i) => (i % 7 === 0 ? 'NULL' : `g + ${i}`)).join(', ')} FROM generate_series(1, 50) g`,
    );
    await pair.run();
    expect(await verify(pair)).toMatchObject(EQUAL);
    await pair.db.query(
      `ALTER TABLE wide ALTER c5 TYPE bigint, ALTER c6 TYPE numeric(20,4), ADD fresh text DEFAULT 'x'; UPDATE wide SET c399 = 0 WHERE id = 8`,
    );
    const found = await verify(pair);
    expect(named(found)).toEqual(['changed id 8: c399']);
    expect(found.notes.join()).toContain('"fresh" is new in the source');
  });

  it('a database that is not in UTF-8', async () => {
    const from = await PostgresSide.open(server(), { encoding: 'LATIN1' });
    await from.db.query(
      `CREATE TABLE t ("clé" text PRIMARY KEY, n text); INSERT INTO t SELECT 'é' || g, repeat('ü', CASE WHEN g > 30 THEN 40000 ELSE g END) FROM generate_series(1, 32) g`,
    );
    await using pair = new Pair(from, (folder) => new LakeSide(folder), { 'public.t': { load: 'replace' } });
    await pair.run();
    expect(await verify(pair)).toMatchObject(EQUAL);
    await from.db.query(`UPDATE t SET n = overlay(n placing 'u' from 39000) WHERE "clé" = 'é31'`);
    expect(named(await verify(pair))).toEqual(['changed clé é31: n']);
  });
});

describe('what cannot be compared', () => {
  it('is said, and keeps no other stream away', async () => {
    await using pair = await Pair.open(
      server(),
      {
        'public.copies': { load: 'append' },
        'public.t': { load: 'replace', schema: { incompatible: 'stop' } },
        'public.u': { load: 'replace' },
      },
      `CREATE TABLE copies (n int); INSERT INTO copies VALUES (1);
       CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1); CREATE TABLE u (id int PRIMARY KEY); INSERT INTO u VALUES (1)`,
    );
    const before = await verifyPipeline(await pair.context(), 'p', {});
    expect(before.streams.map(({ status, notes }) => `${status}: ${notes.join()}`)).toEqual(
      Array.from({ length: 3 }, () => 'skipped: it is not loaded yet'),
    );
    await pair.run();
    await pair.db.query('ALTER TABLE t ALTER v TYPE text; INSERT INTO u VALUES (2)');
    const report = await verifyPipeline(await pair.context(), 'p', {});
    expect(report.status).toBe('differs');
    expect(report.streams.map(({ status, error }) => error?.code ?? status)).toEqual([
      'skipped',
      'schema.incompatible',
      'differs',
    ]);
  });
});
