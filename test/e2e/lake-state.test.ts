import { expect, test } from 'vitest';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { openState } from '../../src/engine/context.ts';
import { runPipeline } from '../../src/engine/run.ts';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

test('leases and run history can live in the lake itself, and nothing then lies beside the project', async () => {
  await using pair = await Pair.open(
    server(),
    { 'public.t': { cursor: 'id' } },
    'CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t SELECT generate_series(1, 10)',
  );
  const base = await pair.context();
  const context = {
    ...base,
    project: { ...base.project, state: { type: 'lake' as const, connection: 'to' } },
  };
  const first = await runPipeline(context, 'p', {});
  expect(first.streams.map((stream) => [stream.status, stream.totals.loaded])).toEqual([['loaded', 10]]);
  await pair.db.query('INSERT INTO t SELECT generate_series(11, 15)');
  const second = await runPipeline(context, 'p', {});
  expect(second.streams[0]!.totals.loaded).toBe(5);
  await pair.expectEqual('t');
  const state = await openState(context);
  const runs = await state.runs({ pipeline: 'p', limit: 10 });
  expect(runs.map((run) => run.run)).toEqual([second.run, first.run]);
  expect(await state.leases()).toEqual([]);
  await state.close();
  expect(existsSync(path.join(pair.folder, '.sluice'))).toBe(false);
  expect(readdirSync(path.join(pair.folder, 'lake', '_sluice'))).toContain('state');
});

test('a query of ones own is a stream with types from the server, loaded by its cursor', async () => {
  await using pair = await Pair.open(
    server(),
    {
      paid_orders: {
        sql: `SELECT id, total * 2 AS double_total, at::date AS day, updated_at FROM t WHERE status = 'paid';`,
        cursor: 'updated_at',
        key: 'id',
      },
    },
    `CREATE TABLE t (id int PRIMARY KEY, status text, total numeric(10,2), at timestamp, updated_at timestamptz DEFAULT now());
     INSERT INTO t SELECT i, CASE WHEN i % 2 = 0 THEN 'paid' ELSE 'new' END, i, '2026-01-02 03:04', now() - interval '1 hour' FROM generate_series(1, 100) i`,
  );
  expect((await pair.run()).totals.loaded).toBe(50);
  await pair.db.query(`UPDATE t SET status = 'paid', updated_at = now() WHERE id = 1`);
  expect((await pair.run()).totals.loaded).toBe(1);
  const schema = (await pair.state('paid_orders'))!.schemas.at(-1)!.schema;
  expect(schema.fields.map((field) => `${field.name} ${field.type}`)).toEqual([
    'id int32',
    'double_total utf8',
    'day date',
    'updated_at timestamptz',
  ]);
  await pair.expectEqual(
    'paid_orders',
    `(SELECT id, total * 2 AS double_total, at::date AS day, updated_at FROM t WHERE status = 'paid') q`,
  );
});

test('plan says when a sequence hands out numbers in blocks', async () => {
  await using pair = await Pair.open(
    server(),
    { 'public.t': { cursor: 'id' } },
    'CREATE SEQUENCE s CACHE 20; CREATE TABLE t (id bigint PRIMARY KEY DEFAULT nextval($$s$$)); ALTER SEQUENCE s OWNED BY t.id',
  );
  expect((await pair.plan()).streams[0]!.note).toMatch(/20 numbers at a time/);
});
