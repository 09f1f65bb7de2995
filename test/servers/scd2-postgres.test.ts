/** `load: scd2` from one PostgreSQL to another: parts, interruptions, types without equality, drift, refusals, `verify`. */
import { describe, expect, it } from 'vitest';
import type { StreamOptions } from '../../src/core/project.ts';
import { resetStream } from '../../src/engine/state-ops.ts';
import { openReplica, type Replica } from '../support/replica.ts';
import { useServer } from '../support/server.ts';
import { EQUAL, named, verify } from '../support/verification.ts';

const server = useServer();

/** About 2 MB, so that a few parts of 200 KB make a first load. */
const PARTS = `CREATE TABLE t (id int PRIMARY KEY, v text, pad text, at timestamptz DEFAULT now()); CREATE INDEX ON t (at);
  INSERT INTO t SELECT g, 'x' || g, repeat('p', 200), now() - interval '1 hour' FROM generate_series(0, 7999) g; VACUUM ANALYZE t`;
const SMALL = `CREATE TABLE t (id int PRIMARY KEY, v text, at timestamptz DEFAULT now() - interval '1 hour'); CREATE INDEX ON t (at);
  INSERT INTO t SELECT g, 'x' || g FROM generate_series(1, 20) g`;

async function open(options: StreamOptions, sql: string): Promise<Replica> {
  const pair = await openReplica(server(), { 'public.t': { load: 'scd2', ...options } }, '');
  // VACUUM runs in no transaction.
  for (const statement of sql.split('; ')) await pair.from.db.query(statement);
  pair.from.connection['slice_size'] = 200_000;
  return pair;
}

/** Rows that are valid now are those of the source, and versions of a key follow each other. */
async function expectRight(pair: Replica): Promise<void> {
  const current = 'SELECT row_to_json(t)::text AS row FROM t';
  const { rows: source } = await pair.from.db.query<{ row: string }>(current);
  const { rows: target } = await pair.to.db.query<{ row: string }>(
    'SELECT (row_to_json(t)::jsonb - array[$1, $2])::text AS row FROM t WHERE _sluice_valid_to IS NULL',
    ['_sluice_valid_from', '_sluice_valid_to'],
  );
  const sorted = (rows: { row: string }[]): string[] =>
    rows
      .map(({ row }) => JSON.stringify(JSON.parse(row), Object.keys(JSON.parse(row) as object).toSorted()))
      .sort();
  expect(sorted(target)).toEqual(sorted(source));
  const { rows: wrong } = await pair.to.db.query(
    `SELECT a.id FROM t a JOIN t b ON a.id = b.id AND a.ctid <> b.ctid
       AND tstzrange(a._sluice_valid_from, a._sluice_valid_to) && tstzrange(b._sluice_valid_from, b._sluice_valid_to)
     UNION ALL SELECT id FROM t WHERE _sluice_valid_to <= _sluice_valid_from`,
  );
  expect(wrong).toEqual([]);
}

async function count(pair: Replica, condition: string): Promise<number> {
  const { rows } = await pair.to.db.query<{ n: number }>(
    `SELECT count(*)::int AS n FROM t WHERE ${condition}`,
  );
  return rows[0]!.n;
}

/** Stops the first run after some parts. */
async function interrupted(options: StreamOptions): Promise<Replica> {
  const pair = await open({ cursor: 'at', overlap: 0, ...options }, PARTS);
  const stop = new AbortController();
  let committed = 0;
  const report = await pair.attempt({
    signal: stop.signal,
    onEvent: (event) => event.kind === 'slice-committed' && ++committed === 3 && stop.abort(),
  });
  expect(report.status).toBe('stopped');
  return pair;
}

const MEANWHILE = `UPDATE t SET v = 'changed', at = now() WHERE id % 10 = 3; INSERT INTO t SELECT g, 'new', 'p', now() FROM generate_series(9000, 9009) g`;

describe('parts', () => {
  it('of a source that is read as a whole are one commit, and tell what is gone', async () => {
    await using pair = await open({}, PARTS);
    const first = await pair.run({ workers: 3 });
    expect(first.totals.loaded).toBe(8000);
    expect(pair.events.filter(({ kind }) => kind === 'slice-started').length).toBeGreaterThan(3);
    await expectRight(pair);
    expect(await pair.run({ workers: 3 })).toMatchObject({ status: 'nothing-new', totals: { loaded: 0 } });
    await pair.from.db.query(`DELETE FROM t WHERE id % 8 = 1; ${MEANWHILE}`);
    expect((await pair.run({ workers: 3 })).totals.loaded).toBe(1000 + 600 + 10);
    await expectRight(pair);
    expect(await count(pair, 'true')).toBe(8000 + 600 + 10);
    await pair.from.db.query(
      `INSERT INTO t SELECT g, 'x' || g, repeat('p', 200), now() FROM generate_series(1, 7999, 8) g`,
    );
    expect((await pair.run({ workers: 3 })).totals.loaded).toBe(1000);
    await expectRight(pair);
    expect(await pair.to.leftovers()).toEqual([]);
    const { rows } = await pair.to.db.query<{ def: string }>(
      `SELECT pg_get_indexdef(indexrelid) AS def FROM pg_index WHERE indrelid = 't'::regclass AND indisunique`,
    );
    expect(rows.map(({ def }) => def.replace(/.*USING/, ''))).toEqual([' btree (id, _sluice_valid_from)']);
  });

  it.each([
    ['go on', false],
    ['begin again', true],
  ])('of a first load that was interrupted %s, and versions follow each other', async (_, restart) => {
    await using pair = await interrupted({});
    await pair.from.db.query(MEANWHILE);
    // Nothing tells a load that goes on of what it has brought and is gone.
    if (restart) await pair.from.db.query('DELETE FROM t WHERE id % 8 = 1');
    const before = await count(pair, 'true');
    expect(before).toBeGreaterThan(0);
    await pair.run({ restart });
    await expectRight(pair);
    expect(await count(pair, '_sluice_valid_to IS NOT NULL')).toBeGreaterThan(0);
    await pair.run();
    await pair.from.db.query(`UPDATE t SET v = 'again', at = now() WHERE id < 50`);
    await pair.run();
    await expectRight(pair);
  });
});

describe('a full refresh', () => {
  it('keeps the history, and ends what is gone', async () => {
    await using pair = await open({ cursor: 'at', overlap: 0 }, SMALL);
    await pair.run();
    await pair.from.db.query(
      `DELETE FROM t WHERE id IN (3, 4); UPDATE t SET v = 'y', at = now() WHERE id = 5`,
    );
    expect((await pair.run()).totals.loaded).toBe(1);
    expect(await count(pair, '_sluice_valid_to IS NULL')).toBe(20);
    expect((await verify(pair)).notes.join()).toContain('were deleted in the source');
    expect((await pair.run({ fullRefresh: true })).totals.loaded).toBe(2);
    await expectRight(pair);
    expect(await count(pair, 'true')).toBe(21);
    await pair.from.db.query('DELETE FROM t WHERE id = 6');
    await resetStream(await pair.context(), 'p', 'public.t');
    expect((await pair.run()).totals.loaded).toBe(1);
    await expectRight(pair);
    expect(await count(pair, 'true')).toBe(21);
  });

  it('of a part of the source ends nothing that it has not read', async () => {
    await using pair = await open({ cursor: 'at', overlap: 0, first_run: 7 * 86_400 }, SMALL);
    await pair.run();
    await pair.from.db.query(
      `UPDATE t SET at = now() - interval '30 days' WHERE id <= 5; DELETE FROM t WHERE id = 20`,
    );
    await pair.run({ fullRefresh: true });
    expect(await count(pair, '_sluice_valid_to IS NULL')).toBe(20);
  });
});

it('no version begins before the one that it follows', async () => {
  await using pair = await open({ cursor: 'at' }, SMALL);
  await pair.run();
  await pair.to.db.query(
    `UPDATE _sluice.tables SET checkpoint = jsonb_set(checkpoint::jsonb, '{readAt}', '"2999-01-01 00:00:00+00"')::text`,
  );
  for (const fullRefresh of [false, true])
    expect((await pair.plan({ fullRefresh })).streams[0]!.error).toMatchObject({
      code: 'engine.old_snapshot',
      remedy: expect.stringContaining('wait until its clock is past 2999'),
    });
});

it('types without equality are compared, and what is written again as it was is no change', async () => {
  await using pair = await open(
    { cursor: 'xmin' },
    `CREATE TABLE t (id int PRIMARY KEY, j json, jb jsonb, p point, x xml, a int[], n numeric, f float8, tz timestamptz);
     INSERT INTO t VALUES (1, '{"a": 1}', '{"a": 1}', '(1,2)', '<a/>', '{1,NULL}', 1.0, 0.1, now()), (2, NULL, NULL, NULL, NULL, NULL, NULL, 'NaN', 'infinity')`.replaceAll(
      ';\n',
      '; ',
    ),
  );
  expect((await pair.run()).totals.loaded).toBe(2);
  await pair.from.db.query('UPDATE t SET j = j');
  expect((await pair.run()).totals.loaded).toBe(0);
  for (const change of [`j = '{"a":1}'`, `p = '(1,3)'`, 'x = NULL', 'n = 1.00', `a = '{1}'`]) {
    await pair.from.db.query(`UPDATE t SET ${change} WHERE id = 1`);
    expect((await pair.run()).totals.loaded).toBe(1);
  }
  expect(await count(pair, 'id = 1')).toBe(6);
  expect(await count(pair, 'id = 2')).toBe(1);
  pair.streams = { 'public.t': { load: 'scd2' } };
  expect((await pair.run({ fullRefresh: true })).totals.loaded).toBe(0);
});

it('columns that come, go and grow begin versions only where a row has other values', async () => {
  await using pair = await open({}, SMALL);
  await pair.run();
  await pair.from.db.query(
    `ALTER TABLE t ADD more text, ALTER id TYPE int8; UPDATE t SET more = 'm' WHERE id <= 3`,
  );
  expect((await pair.run()).totals.loaded).toBe(3);
  expect(await count(pair, 'more IS NULL')).toBe(20);
  expect((await pair.run({ fullRefresh: true })).totals.loaded).toBe(0);
  await pair.from.db.query('ALTER TABLE t DROP more');
  expect((await pair.run()).totals.loaded).toBe(3);
  expect(await count(pair, 'true')).toBe(26);
  await pair.from.db.query('ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (v)');
  const report = await pair.attempt({ fullRefresh: true });
  expect(report.streams[0]!.error).toMatchObject({ code: 'schema.incompatible' });
  expect(report.streams[0]!.error!.remedy).not.toContain('full-refresh');
});

it('tables with and without versions are not taken for each other', async () => {
  await using pair = await open({ load: 'merge', cursor: 'at' }, SMALL);
  const refusal = async (options: StreamOptions): Promise<unknown> => {
    pair.streams = { 'public.t': options };
    return (await pair.attempt({ fullRefresh: true })).streams[0]!.error?.code;
  };
  await pair.run();
  expect(await refusal({ load: 'scd2' })).toBe('stream.history');
  await pair.to.db.query('DROP TABLE t; CREATE TABLE t (id int, v text, at timestamptz)');
  expect(await refusal({ load: 'scd2' })).toBe('stream.history');
  await pair.to.db.query('DROP TABLE t');
  expect(await refusal({ load: 'scd2' })).toBeUndefined();
  for (const load of ['replace', 'append', 'merge'] as const)
    expect(await refusal({ load })).toBe('stream.history');
  expect(await count(pair, 'true')).toBe(20);
});

it('verify compares what is valid now', async () => {
  await using pair = await open({}, SMALL);
  await pair.run();
  await pair.from.db.query(`UPDATE t SET v = 'y' WHERE id < 5; DELETE FROM t WHERE id > 15`);
  await pair.run();
  expect(await verify(pair)).toMatchObject({ ...EQUAL, rows: { source: 15, target: 15 } });
  await pair.to.db.query(
    `UPDATE t SET v = 'z' WHERE id = 1 AND _sluice_valid_to IS NULL; UPDATE t SET v = 'z' WHERE id = 2 AND _sluice_valid_to IS NOT NULL;
     UPDATE t SET _sluice_valid_to = NULL WHERE id = 20`,
  );
  expect(named(await verify(pair))).toEqual(['changed id 1: v', 'extra id 20']);
});
