/** Contracts of tables through whole pipelines: what goes beside, what stops, what is accepted, and what is known of it later. */
import { rmSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { LakeSide } from '../../guarantees/lake-side.ts';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { Pair, type Streams } from '../../guarantees/pair.ts';
import { pauseAt } from '../../guarantees/pause.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { PostgresTargetSide } from '../../guarantees/postgres-target-side.ts';
import type { DestinationSide } from '../../guarantees/sides.ts';
import { changeText } from '../../src/core/schema-changes.ts';
import {
  type AcceptedSchema,
  acceptSchema,
  diffSchemas,
  type SchemaHistory,
  schemaHistory,
  showSchemas,
} from '../../src/engine/schema-ops.ts';
import { verifyPipeline } from '../../src/engine/verify.ts';
import { mariadbPresent, mysqlPair, useMariadb } from '../support/mariadb.ts';
import { DuckdbSide } from '../support/duckdb-side.ts';
import { useServer } from '../support/server.ts';

const server = useServer();
const mariadb = useMariadb();

type Any = Pair<PostgresSide, DestinationSide>;

const TARGETS: Record<string, () => Promise<(folder: string) => DestinationSide>> = {
  'a lake': async () => (folder) => new LakeSide(folder),
  PostgreSQL: async () => {
    const to = await PostgresTargetSide.open(server());
    return () => to;
  },
  'a DuckDB file': async () => (folder) => new DuckdbSide(folder),
  ...(mariadbPresent && {
    MariaDB: async () => {
      const to = await MysqlTargetSide.open(mariadb());
      return () => to;
    },
  }),
};

const SQL = `
  CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL, v text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
  CREATE INDEX ON t (at); INSERT INTO t SELECT g, g * 10, 'v' || g FROM generate_series(1, 4) g`;
const MERGE = { load: 'merge', cursor: 'at', overlap: 0 } as const;

async function open(target: string, streams: Streams, sql: string = SQL): Promise<Any> {
  const from = await PostgresSide.open(server());
  await from.db.query(sql);
  return new Pair(from, await TARGETS[target]!(), streams);
}

/** Rows of the table without their times. */
function rowsOf(pair: Any, columns: string[]): Promise<string[]> {
  return pair.to.lines('t', 'current', columns);
}

async function versionsOf(pair: Any): Promise<SchemaHistory['versions']> {
  return (await schemaHistory(await pair.context(), 'p'))[0]!.versions;
}

const textsOf = (versions: SchemaHistory['versions']): string[][] =>
  versions.map(({ changes }) => changes.map(changeText)).toReversed();

async function accept(pair: Any, stream: string = 'public.t'): Promise<AcceptedSchema> {
  return acceptSchema(await pair.context(), 'p', stream);
}

async function stopsWith(pair: Any, code: string): Promise<string> {
  const before = await pair.to.version('t');
  const { streams } = await pair.attempt();
  const found = streams.find(({ stream }) => stream === 'public.t')!;
  expect(found.error).toMatchObject({ code, recovery: 'schema' });
  expect(await pair.to.version('t')).toBe(before);
  return found.error!.message;
}

describe.each(Object.keys(TARGETS))('into %s', (target) => {
  it('values of another type go to a column beside, and back, and all of it is known later', async () => {
    await using pair = await open(target, { 'public.t': MERGE });
    const { db } = pair.from;
    await pair.run();
    await db.query(
      `ALTER TABLE t ALTER n TYPE text; UPDATE t SET n = 'many', at = clock_timestamp() WHERE id = 1`,
    );
    const moved = ['+ n__text utf8', 'n goes to n__text'];
    expect((await pair.plan()).streams[0]!.changes).toEqual(moved);
    expect(await diffSchemas(await pair.context(), 'p')).toMatchObject([
      { status: 'changes', changes: moved },
    ]);
    expect(await pair.run()).toMatchObject({ changes: moved, totals: { loaded: 1 } });
    const columns = ['id', 'n', 'n__text', 'v'];
    const before = await rowsOf(pair, columns);
    expect(before.filter((line) => line.includes('many'))).toHaveLength(1);
    expect(before.filter((line) => /\b[234]0\b/.test(line))).toHaveLength(3);

    // Two more changes in one run, and the column beside stays where it is.
    await db.query(`ALTER TABLE t ADD extra bigint, DROP v;
      UPDATE t SET n = 'more', extra = 5000000000, at = clock_timestamp() WHERE id = 2`);
    expect((await pair.run()).changes).toEqual([
      '+ extra int64',
      'v is gone from the source and becomes NULL',
    ]);
    expect((await pair.run()).changes).toEqual([]);
    expect((await rowsOf(pair, columns)).filter((line) => /many|more/.test(line))).toHaveLength(2);

    await db.query(
      `UPDATE t SET n = '7', at = clock_timestamp(); ALTER TABLE t ALTER n TYPE bigint USING n::bigint`,
    );
    expect((await pair.run()).changes).toEqual(['n int32 → int64', 'n takes its values again']);
    const after = await rowsOf(pair, ['id', 'n', 'n__text']);
    expect(new Set(after.map((line) => line.replace(/\d/, '')))).toHaveLength(1);
    await db.query(
      `ALTER TABLE t ALTER n TYPE text; UPDATE t SET n = 'again', at = clock_timestamp() WHERE id = 4`,
    );
    expect((await pair.run()).changes).toEqual(['n goes to n__text']);

    const texts = [
      [],
      moved,
      ['+ extra int64', 'v is gone from the source and becomes NULL'],
      ['n int32 → int64', 'n takes its values again'],
      ['n goes to n__text'],
    ];
    const versions = await versionsOf(pair);
    expect(textsOf(versions)).toEqual(texts.map((each) => each));
    expect(versions.map(({ version }) => version)).toEqual([5, 4, 3, 2, 1]);
    expect(versions.every(({ run, at }) => /^20.*Z-/.test(run!) && /^20\d\d-/.test(at))).toBe(true);
    const commits = versions.map(({ commit }) => commit);
    expect(commits.toSorted((a, b) => b - a)).toEqual(commits);
    rmSync(path.join(pair.folder, '.sluice'), { recursive: true });
    expect(await versionsOf(pair)).toEqual(versions);

    const [shown] = await showSchemas(await pair.context(), 'p');
    expect(shown).toMatchObject({ loaded: true, version: 5, rules: { policy: 'evolve' } });
    expect(
      shown!.columns.map(({ name, type, key, of, gone, native }) => ({ name, type, key, of, gone, native })),
    ).toEqual([
      { name: 'id', type: 'int32', key: true, of: undefined, gone: false, native: 'integer' },
      { name: 'n__text', type: 'utf8', key: false, of: 'n', gone: false, native: 'text' },
      {
        name: 'at',
        type: 'timestamptz',
        key: false,
        of: undefined,
        gone: false,
        native: 'timestamp with time zone',
      },
      { name: 'extra', type: 'int64', key: false, of: undefined, gone: false, native: 'bigint' },
      { name: 'n', type: 'int64', key: false, of: undefined, gone: true, native: undefined },
      { name: 'v', type: 'utf8', key: false, of: undefined, gone: true, native: undefined },
    ]);
    const verified = await verifyPipeline(await pair.context(), 'p', {});
    expect(verified.streams[0]).toMatchObject({ status: 'equal', columns: ['id', 'at', 'extra'] });
    expect(verified.streams[0]!.notes).toContain('column "n" has values in 2 columns and was not compared');
  });

  it('a frozen table stops until just these changes are accepted', async () => {
    await using pair = await open(
      target,
      { 'public.t': { ...MERGE, schema: 'freeze' }, 'public.other': { load: 'replace', schema: 'freeze' } },
      `${SQL}; CREATE TABLE other (id int PRIMARY KEY)`,
    );
    const { db } = pair.from;
    await pair.run();
    expect((await accept(pair)).accepted).toBe(false);
    await db.query(`ALTER TABLE t ADD extra int, ALTER n TYPE bigint; INSERT INTO other VALUES (1);
      UPDATE t SET extra = 1, at = clock_timestamp() WHERE id = 1`);
    const found = await stopsWith(pair, 'schema.frozen');
    expect(found).toContain('n int32 → int64; + extra int32');
    expect(await pair.to.lines('other', 'current')).toHaveLength(1);
    expect(await diffSchemas(await pair.context(), 'p', { select: ['public.t'] })).toMatchObject([
      { status: 'stops', changes: ['n int32 → int64', '+ extra int32'] },
    ]);
    expect(await accept(pair)).toMatchObject({
      accepted: true,
      changes: ['n int32 → int64', '+ extra int32'],
    });
    // One more than that: it stops, and what was accepted is not taken instead.
    await db.query('ALTER TABLE t ADD another text');
    expect(await stopsWith(pair, 'schema.frozen')).toContain('+ another utf8');
    await db.query('ALTER TABLE t DROP another');
    expect((await pair.run()).changes).toEqual(['n int32 → int64', '+ extra int32']);
    expect(await pair.run()).toMatchObject({ status: 'nothing-new' });
    await db.query('ALTER TABLE t ALTER v DROP NOT NULL, ALTER n TYPE text');
    expect(await stopsWith(pair, 'schema.frozen')).toContain('n int64 → utf8; v may be NULL');
    expect((await accept(pair)).changes).toEqual(['+ n__text utf8', 'v may be NULL', 'n goes to n__text']);
    await db.query(`UPDATE t SET n = 'x', v = NULL, at = clock_timestamp() WHERE id = 3`);
    expect(await pair.run()).toMatchObject({ totals: { loaded: 1 } });
    expect(textsOf(await versionsOf(pair))).toEqual([
      [],
      ['n int32 → int64', '+ extra int32'],
      ['+ n__text utf8', 'v may be NULL', 'n goes to n__text'],
    ]);
    // Nor does it change when all of it is loaded again.
    await db.query('ALTER TABLE t DROP v');
    const refreshed = await pair.attempt({ fullRefresh: true, select: ['public.t'] });
    expect(refreshed.streams[0]!.error).toMatchObject({ code: 'schema.frozen' });
  });

  it('a table that discards keeps its columns, under the names that the user gives', async () => {
    await using pair = await open(target, {
      'public.t': { ...MERGE, schema: 'discard', rename: { v: 'label' } },
    });
    const { db } = pair.from;
    await pair.run();
    await db.query(`ALTER TABLE t ADD "Extra" int, ADD "order" text; ALTER TABLE t ALTER n TYPE smallint;
      UPDATE t SET "Extra" = 1, v = 'new', at = clock_timestamp() WHERE id = 1`);
    const { streams, warnings } = await pair.plan();
    expect(streams[0]).toMatchObject({ changes: [], leftOut: ['Extra', 'order'] });
    const message = 'left out by `schema: discard`: Extra int32, order utf8';
    expect(warnings.filter(({ code }) => code === 'schema.left_out')).toMatchObject([{ message }]);
    expect(await pair.run()).toMatchObject({ changes: [], totals: { loaded: 1 } });
    const told = pair.events.filter((event) => event.kind === 'warning' && event.code === 'schema.left_out');
    expect(told).toHaveLength(1);
    expect((await pair.to.schema('t'))!.fields.map(({ name }) => name)).toEqual(['id', 'n', 'label', 'at']);
    expect((await rowsOf(pair, ['id', 'n', 'label'])).filter((line) => line.includes('new'))).toHaveLength(1);
    await db.query(`ALTER TABLE t ALTER n TYPE bigint; UPDATE t SET at = clock_timestamp() WHERE id = 2`);
    expect(await stopsWith(pair, 'schema.incompatible')).toContain('stays what it was');
    expect((await accept(pair)).changes).toEqual(['n int32 → int64', '+ Extra int32', '+ order utf8']);
    expect((await pair.run()).changes).toEqual(['n int32 → int64', '+ Extra int32', '+ order utf8']);
    expect((await pair.to.schema('t'))!.fields.map(({ name }) => name)).toContain('Extra');
    expect((await pair.run()).status).toBe('nothing-new');
  });

  it('a run that is killed between the change of a table and its commit is made up for by the next', async () => {
    for (const step of ['stage', 'publish']) {
      await using pair = await open(target, { 'public.t': MERGE });
      await pair.run();
      const version = await pair.to.version('t');
      await pair.from.db.query(
        `ALTER TABLE t ADD extra int, ALTER n TYPE text; UPDATE t SET n = 'many', extra = 1, at = clock_timestamp() WHERE id = 1`,
      );
      const child = await pauseAt(pair, step === 'stage' ? 'event:step/staged:1' : 'event:step/publish:1');
      await child.kill();
      await pair.to.settled();
      expect(await pair.to.version('t')).toBe(version);
      expect(textsOf(await versionsOf(pair))).toEqual([[]]);
      const changes = ['+ n__text utf8', '+ extra int32', 'n goes to n__text'];
      expect((await pair.run()).changes).toEqual(changes);
      expect(textsOf(await versionsOf(pair))).toEqual([[], changes]);
      const rows = await rowsOf(pair, ['id', 'n', 'n__text', 'extra']);
      expect(rows).toHaveLength(4);
      expect(rows.filter((line) => line.includes('many'))).toHaveLength(1);
    }
  });

  it('a table that is replaced as a whole has its history as well', async () => {
    await using pair = await open(target, { 'public.t': { load: 'replace' } });
    await pair.run();
    await pair.from.db.query(`ALTER TABLE t ALTER n TYPE text USING 'x' || n, ADD extra int`);
    const changes = ['+ n__text utf8', '+ extra int32', 'n goes to n__text'];
    expect((await pair.run()).changes).toEqual(changes);
    expect((await pair.run()).changes).toEqual([]);
    expect((await rowsOf(pair, ['n__text'])).filter((line) => line.includes('x10'))).toHaveLength(1);
    const anew = ['n int32 → utf8', 'n is never NULL', 'n takes its values again', '- n__text'];
    expect((await pair.run({ fullRefresh: true })).changes).toEqual(anew);
    expect(textsOf(await versionsOf(pair))).toEqual([[], changes, anew]);
  });
});

it('what rows are found by goes nowhere, nor what the user has chosen', async () => {
  await using pair = await open('a lake', {
    'public.t': { ...MERGE, partition_by: { column: 'n', by: 'value' } },
  });
  await pair.run();
  await pair.from.db.query(`ALTER TABLE t ALTER n TYPE text`);
  expect(await stopsWith(pair, 'schema.incompatible')).toContain('and rows are found by it');
  await expect(accept(pair)).rejects.toMatchObject({ code: 'schema.incompatible' });
  pair.streams = { 'public.t': { ...MERGE, types: { v: 'binary' } } };
  await pair.from.db.query(`ALTER TABLE t ALTER n TYPE int USING n::int`);
  expect(await stopsWith(pair, 'schema.incompatible')).toContain('as `types` says');
  expect((await pair.run({ fullRefresh: true })).changes).toContain('v utf8 → binary');
});

it('two that accept at once do not overwrite each other', async () => {
  await using pair = await open('a lake', { 'public.t': { ...MERGE, schema: 'freeze' } });
  await pair.run();
  await pair.from.db.query('ALTER TABLE t ADD extra int');
  const both = await Promise.allSettled([accept(pair), accept(pair)]);
  const refused = both.flatMap((each) => (each.status === 'rejected' ? [each.reason as unknown] : []));
  expect(refused.length).toBeLessThan(2);
  for (const error of refused) expect(error).toMatchObject({ recovery: 'conflict' });
  expect((await pair.run()).changes).toEqual(['+ extra int32']);
});

it('a target that takes the types of its source is frozen with them', async () => {
  await using pair = await open(
    'PostgreSQL',
    { 'public.t': { ...MERGE, schema: 'freeze' } },
    SQL.replace('v text', 'v varchar(10)'),
  );
  await pair.run();
  await pair.from.db.query('ALTER TABLE t ALTER v TYPE varchar(20)');
  const found = await stopsWith(pair, 'schema.frozen');
  expect(found).toContain('v character varying(10) → character varying(20) in the source');
  expect((await accept(pair)).accepted).toBe(true);
  await pair.from.db.query(`UPDATE t SET v = repeat('x', 20), at = clock_timestamp() WHERE id = 1`);
  expect(await pair.run()).toMatchObject({ totals: { loaded: 1 } });
  expect(textsOf(await versionsOf(pair)).at(-1)).toEqual([
    'v character varying(10) → character varying(20) in the source',
  ]);
});

it('checksums after a load do not take a column beside for a difference', async () => {
  await using pair = await open('a lake', { 'public.t': { ...MERGE, verify: 'checksums' } });
  await pair.run();
  await pair.from.db.query(
    `ALTER TABLE t ALTER n TYPE text; UPDATE t SET n = 'x', at = clock_timestamp() WHERE id = 1`,
  );
  expect((await pair.run()).verification).toMatchObject({ by: 'checksums', status: 'equal' });
});

it.runIf(mariadbPresent)(
  'columns of MariaDB go beside, come back and are frozen as those of PostgreSQL',
  async () => {
    const sql = `CREATE TABLE t (id int PRIMARY KEY, n int NOT NULL, at datetime(6) NOT NULL, KEY (at));
    INSERT INTO t VALUES (1, 10, '2026-01-01'), (2, 20, '2026-01-01')`;
    await using pair = await mysqlPair(mariadb(), { t: MERGE }, '');
    for (const statement of sql.split(';')) await pair.from.query(statement);
    await pair.run();
    await pair.from.query('ALTER TABLE t MODIFY n varchar(20)');
    await pair.from.query(`UPDATE t SET n = 'many', at = '2026-01-02' WHERE id = 1`);
    expect((await pair.run()).changes).toEqual(['+ n__text utf8', 'n goes to n__text']);
    await pair.from.query(`UPDATE t SET n = '30', at = '2026-01-03' WHERE id = 1`);
    await pair.from.query('ALTER TABLE t MODIFY n bigint');
    expect((await pair.run()).changes).toEqual(['n int32 → int64', 'n takes its values again']);
    const rows = await pair.to.query('t', 'SELECT id, n, n__text FROM t ORDER BY id');
    expect(rows.map((row) => Object.values(row).map(String))).toEqual([
      ['1', '30', 'null'],
      ['2', '20', 'null'],
    ]);
    pair.options = { schema: 'freeze' };
    await pair.from.query('ALTER TABLE t ADD extra int');
    const [stopped] = (await pair.attempt()).streams;
    expect(stopped!.error).toMatchObject({ code: 'schema.frozen' });
    await acceptSchema(await pair.context(), 'p', stopped!.stream);
    expect((await pair.run()).changes).toEqual(['+ extra int32']);
  },
);
