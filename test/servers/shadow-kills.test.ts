/** A shadow table takes the place of the present one, and whoever does it is killed at any of its statements. */
import { expect, it } from 'vitest';
import { mysqlOptions } from '../../src/connectors/mysql/options.ts';
import { MysqlTarget } from '../../src/connectors/mysql/target.ts';
import { postgresOptions } from '../../src/connectors/postgres/options.ts';
import { PostgresTarget } from '../../src/connectors/postgres/target.ts';
import { SqlDestination } from '../../src/connectors/shared/sql/destination.ts';
import type { SqlSystem } from '../../src/connectors/shared/sql/system.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';
import { CAST } from '../../src/testing/destination-suite.ts';
import { load } from '../../src/testing/kit-load.ts';
import { DyingSystem } from '../support/dying-system.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { FAST } from '../support/mysql-kit.ts';
import { useServer } from '../support/server.ts';

const context = { name: 'target', directory: '.', memoryBytes: 256 << 20, workers: 1 };
const NEW: Cell[][] = [['9', 'new', '1']];
const never = new AbortController().signal;
const [postgres, mariadb] = [useServer(), useMariadb({ settings: FAST })];
let databases = 0;

async function postgresSystem(): Promise<() => SqlSystem> {
  const url = await postgres().createDatabase(`shadow_${++databases}`);
  return () => new PostgresTarget(postgresOptions.parse({ url, lock_timeout: 5 }), context);
}

async function mariadbSystem(): Promise<() => SqlSystem> {
  const url = await mariadb().createDatabase(`shadow_${++databases}`);
  return () => new MysqlTarget(mysqlOptions.parse({ url, lock_timeout: 5 }), context);
}

type Name = 'old' | 'new' | undefined;

/** Whose rows and record a place has; fails when they are not of the same table. */
async function holds(system: SqlSystem, place: string): Promise<Name> {
  const destination = new SqlDestination(system);
  const at = await destination.beside!.at(place);
  const state = await at.describe('people', never);
  await at.close();
  if (!state) return undefined;
  const session = await system.connect(never);
  const table = system.dialect.sides!.at(place).table('people');
  const { rows } = await session.query(`SELECT name FROM ${table} ORDER BY 1`, 'looking');
  await session.close();
  const name = rows.some((row) => row['name'] === 'new') ? 'new' : 'old';
  expect([place, state.rows, state.checkpoint?.watermark]).toEqual([
    place,
    name === 'new' ? 1 : CAST.length,
    name,
  ]);
  expect(rows).toHaveLength(state.rows);
  return name;
}

async function exchange(system: SqlSystem, [from, to]: readonly [string, string]): Promise<void> {
  const { beside } = new SqlDestination(system);
  await beside!.settle(['people'], never);
  const version = async (place: string): Promise<number | undefined> => {
    const at = await beside!.at(place);
    const state = await at.describe('people', never);
    await at.close();
    return state?.version;
  };
  const versions = { from: (await version(from))!, readers: await version('') };
  const tables = [{ table: 'people', fence: 50, versions }];
  await beside!.exchange({ tables, from, to, run: 'r' }, never);
}

const PROMOTE = ['shadow', 'former'] as const;
const ROLLBACK = ['former', 'shadow'] as const;

async function fill(
  system: SqlSystem,
  place: string,
  rows: readonly Cell[][],
  watermark: string,
): Promise<void> {
  const destination = new SqlDestination(system);
  const at = await destination.beside!.at(place);
  await load(at, 'people', { rows, checkpoint: { cursor: [], watermark } });
  await at.close();
}

async function survives(make: () => Promise<() => SqlSystem>): Promise<number> {
  for (let at = 1; ; at++) {
    const open = await make();
    const system = open();
    await fill(system, '', CAST, 'old');
    await fill(system, 'shadow', NEW, 'new');
    let killed = false;
    const dying = new DyingSystem(open(), at, true);
    await exchange(dying, PROMOTE).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'kit.killed' });
      killed = true;
    });
    // Who only looks sees what counts.
    expect(['old', 'new']).toContain(await holds(system, ''));
    await new SqlDestination(system).beside!.settle(['people'], never);
    const now = await holds(system, '');
    const beside = await holds(system, 'shadow');
    expect(beside).toBe(now === 'old' ? 'new' : undefined);
    if (now === 'old') await exchange(system, PROMOTE);
    expect(await holds(system, '')).toBe('new');
    expect(await holds(system, 'former')).toBe('old');
    if (!killed) await exchange(system, ROLLBACK);
    if (!killed) expect([await holds(system, ''), await holds(system, 'shadow')]).toEqual(['old', 'new']);
    await Promise.all([system.close(), dying.close()]);
    if (!killed) return at;
  }
}

/** Two sessions, one of them through a view, read without a pause while tables change places; they see all of one of them. */
async function neverMissing(make: () => Promise<() => SqlSystem>): Promise<void> {
  const system = (await make())();
  await fill(system, '', CAST, 'old');
  await fill(system, 'shadow', NEW, 'new');
  const session = await system.connect(never);
  await session.query('CREATE VIEW seen AS SELECT name FROM people', 'making a view');
  await session.close();
  const seen = new Set<number>();
  let done = false;
  const readers = [system.dialect.table('people'), 'seen'].map(async (table) => {
    const session = await system.connect(never);
    while (!done) {
      const { rows } = await session.query(`SELECT COUNT(*) AS n FROM ${table}`, 'reading');
      seen.add(Number(rows[0]!['n']));
    }
    await session.close();
  });
  for (let round = 0; round < 5; round++) for (const way of [PROMOTE, ROLLBACK]) await exchange(system, way);
  done = true;
  await Promise.all(readers);
  expect(seen).toEqual(new Set([1, CAST.length]));
  await system.close();
}

it('readers of PostgreSQL see one table or the other', () => neverMissing(postgresSystem));

it.runIf(mariadbPresent)('readers of MariaDB see one table or the other', () => neverMissing(mariadbSystem));

it('survives kills in PostgreSQL', async () => {
  expect(await survives(postgresSystem)).toBeGreaterThan(15);
});

it.runIf(mariadbPresent)('survives kills in MariaDB', async () => {
  expect(await survives(mariadbSystem)).toBeGreaterThan(20);
});
