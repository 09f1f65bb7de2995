/** A swap of tables that is stopped at any of its steps, and whoever comes after it. */
import type { Connection } from 'mysql2/promise';
import { afterEach, describe, expect, it } from 'vitest';
import { mysqlOptions } from '../../src/connectors/mysql/options.ts';
import { MysqlTarget } from '../../src/connectors/mysql/target.ts';
import { SqlDestination } from '../../src/connectors/shared/sql/destination.ts';
import type { OnSwapStep, SwapStep } from '../../src/connectors/shared/sql/swap-apart.ts';
import { TransientError } from '../../src/core/errors.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';
import { CAST } from '../../src/testing/destination-suite.ts';
import { load, openWriter, stage } from '../../src/testing/kit-load.ts';
import { mariadbPresent, session, useMariadb } from '../support/mariadb.ts';
import { readMysql } from '../support/mysql-reader.ts';

const server = useMariadb();
const opened: SqlDestination[] = [];
let databases = 0;
let url = '';

const NEW: Cell[][] = [['9', 'new', '1']];
const EVERYTHING = { kind: 'everything' as const };
const context = { name: 'target', directory: '.', memoryBytes: 256 << 20, workers: 2 };

function destination(onStep?: OnSwapStep): SqlDestination {
  const made = new SqlDestination(
    new MysqlTarget(mysqlOptions.parse({ url, lock_timeout: 2 }), context),
    onStep,
  );
  opened.push(made);
  return made;
}

async function inDatabase(work: (reader: Connection) => Promise<void>): Promise<void> {
  url = await server().createDatabase(`swap_${++databases}`);
  const reader = await session(url);
  try {
    await work(reader);
  } finally {
    await reader.end();
  }
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((each) => each.close()));
});

const sorted = (rows: readonly Cell[][]): string[] => rows.map((row) => row.join()).toSorted();

async function rowsOf(reader: Connection): Promise<string[]> {
  return sorted((await readMysql(reader, 'people'))!.rows);
}

async function hidden(reader: Connection): Promise<string[]> {
  const [rows] = await reader.query(`SHOW TABLES LIKE '\\_sluice\\_load%'`);
  return (rows as Record<string, string>[]).flatMap((row) => Object.values(row));
}

/** Whether the record and the table of `people` tell of the same load; which one. */
async function stateOf(reader: Connection): Promise<'old' | 'new'> {
  const state = (await destination().describe('people', new AbortController().signal))!;
  const [rows] = (await reader.query('SELECT COUNT(*) AS n, MAX(name) AS name FROM people')) as never as [
    { n: string; name: string }[],
  ];
  const isNew = rows[0]!.name === 'new';
  expect(Number(rows[0]!.n)).toBe(isNew ? 1 : 3);
  expect(state).toMatchObject({ version: isNew ? 2 : 1, rows: isNew ? 1 : 3 });
  return isNew ? 'new' : 'old';
}

/** Replaces everything with NEW and breaks off at the step as a killed process does: all its connections end at once. */
async function killedAt(step: SwapStep): Promise<void> {
  const dead = destination(async (at) => {
    if (at !== step) return;
    const { id } = (await server().query('SELECT CONNECTION_ID() AS id'))[0]!;
    const others = await server().query(
      `SELECT ID AS id FROM information_schema.PROCESSLIST WHERE DB = 'swap_${databases}' AND ID <> ${Number(id)}
          AND ID NOT IN (${keep.join(', ')})`,
    );
    for (const other of others)
      await server()
        .query(`KILL ${Number(other['id'])}`)
        .catch(() => undefined);
    throw new TransientError('killed', { code: 'kit.killed' });
  });
  await expect(load(dead, 'people', { rows: NEW, supersede: EVERYTHING })).rejects.toBeInstanceOf(
    TransientError,
  );
}

let keep: number[] = [0];

const EXPECTED: Record<SwapStep, 'old' | 'new'> = {
  pending: 'old',
  locked: 'old',
  renamed: 'old',
  recorded: 'new',
};

describe.runIf(mariadbPresent)('a swap that is cut short', () => {
  for (const [step, expected] of Object.entries(EXPECTED) as [SwapStep, 'old' | 'new'][]) {
    it(`before "${step}" leaves the ${expected} table and its record, and the next load goes on`, () =>
      inDatabase(async (reader) => {
        keep = [(reader as unknown as { threadId: number }).threadId];
        await load(destination(), 'people', { rows: CAST });
        await killedAt(step);
        // Who only looks changes nothing, and sees what counts.
        expect(await stateOf(reader)).toBe(expected);
        expect(await stateOf(reader)).toBe(expected);
        const next = destination();
        await load(next, 'people', { rows: [['5', 'Eve', null]] });
        const before = expected === 'old' ? CAST : NEW;
        expect(await rowsOf(reader)).toEqual(sorted([...before, ['5', 'Eve', null]]));
        await load(next, 'people', { rows: NEW, supersede: EVERYTHING });
        expect(await rowsOf(reader)).toEqual(sorted(NEW));
        const [records] = await reader.query('SELECT pending FROM _sluice_tables');
        expect(records).toEqual([{ pending: null }]);
        expect(await hidden(reader)).toEqual([]);
      }));
  }

  it('of a first load leaves nothing, and the next load goes on', () =>
    inDatabase(async (reader) => {
      keep = [(reader as unknown as { threadId: number }).threadId];
      await killedAt('renamed');
      expect(await destination().describe('people', new AbortController().signal)).toBeUndefined();
      await load(destination(), 'people', { rows: CAST });
      expect(await rowsOf(reader)).toEqual(sorted(CAST));
    }));

  it.each([
    ['a column', 'ADD COLUMN mine INT DEFAULT 7', 'SELECT 1 FROM people WHERE mine = 7'],
    [
      'a CHECK',
      `ADD CONSTRAINT plus CHECK (id > '0')`,
      `SELECT 1 FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE() AND CONSTRAINT_NAME = 'plus'`,
    ],
    [
      'a comment',
      `COMMENT = 'mine'`,
      `SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_COMMENT = 'mine'`,
    ],
  ])('does not happen where the user has given the table %s', (_, change, found) =>
    inDatabase(async (reader) => {
      await load(destination(), 'people', { rows: CAST, supersede: EVERYTHING });
      await reader.query(`ALTER TABLE people ${change}`);
      await load(destination(), 'people', { rows: NEW, supersede: EVERYTHING });
      expect(await stateOf(reader)).toBe('new');
      expect((await reader.query(found))[0]).toHaveLength(1);
      expect(await hidden(reader)).toEqual([]);
    }),
  );

  it('keeps others waiting while it is at work, and is not undone by them', () =>
    inDatabase(async (reader) => {
      await load(destination(), 'people', { rows: CAST, fence: 1 });
      let other: Promise<unknown> = Promise.resolve();
      const slow = destination(async (at) => {
        if (at !== 'renamed') return;
        // It waits for the lock of the record.
        other = openWriter(destination(), 'people', { fence: 1 }).catch((error: unknown) => error);
        await new Promise((resolve) => setTimeout(resolve, 300));
      });
      await load(slow, 'people', { rows: NEW, supersede: EVERYTHING, fence: 1 });
      expect(await other).toMatchObject({ code: 'sql.conflict' });
      expect(await stateOf(reader)).toBe('new');
    }));

  it('cannot happen any more once somebody else has settled it', () =>
    inDatabase(async (reader) => {
      await load(destination(), 'people', { rows: CAST, fence: 1 });
      const late = destination(async (at) => {
        // Between the two transactions nothing is locked.
        if (at === 'locked') await openWriter(destination(), 'people', { fence: 1 });
      });
      await expect(
        load(late, 'people', { rows: NEW, supersede: EVERYTHING, fence: 1 }),
      ).rejects.toMatchObject({ recovery: 'conflict' });
      expect(await stateOf(reader)).toBe('old');
      expect(await rowsOf(reader)).toEqual(sorted(CAST));
    }));

  it('is no more when somebody with a newer lease takes over in the midst of it', () =>
    inDatabase(async (reader) => {
      await load(destination(), 'people', { rows: CAST, fence: 1 });
      const late = destination(async (at) => {
        if (at === 'renamed') await openWriter(destination(), 'people', { fence: 2 });
      });
      await expect(
        load(late, 'people', { rows: NEW, supersede: EVERYTHING, fence: 1 }),
      ).rejects.toMatchObject({ recovery: 'transient' });
      expect(await stateOf(reader)).toBe('old');
      expect(await rowsOf(reader)).toEqual(sorted(CAST));
    }));

  it('gives up behind a reader that does not end, and the same writer can try again', () =>
    inDatabase(async (reader) => {
      await load(destination(), 'people', { rows: CAST });
      await reader.query('START TRANSACTION');
      await reader.query('SELECT * FROM people');
      const writer = await openWriter(destination(), 'people');
      const first = await stage(writer, { rows: NEW, supersede: EVERYTHING });
      await expect(writer.commit([first], EVERYTHING, { cursor: [] })).rejects.toMatchObject({
        code: 'mysql.locked',
        recovery: 'transient',
      });
      expect(await stateOf(reader)).toBe('old');
      await reader.query('COMMIT');
      const second = await stage(writer, { rows: NEW, supersede: EVERYTHING });
      await writer.commit([second], EVERYTHING, { cursor: [] });
      await writer.close();
      expect(await stateOf(reader)).toBe('new');
      expect(await hidden(reader)).toEqual([]);
    }));

  it('puts back what an old server left without a name in the middle', () =>
    inDatabase(async (reader) => {
      await load(destination(), 'people', { rows: CAST });
      const half = destination(async (at) => {
        if (at !== 'renamed') return;
        const [rows] = (await reader.query('SELECT pending FROM _sluice_tables')) as never as [
          { pending: string }[],
        ];
        const { old } = JSON.parse(rows[0]!.pending) as { old: string };
        await reader.query(`RENAME TABLE people TO ${old}`);
        throw new TransientError('stopped', { code: 'kit.stopped' });
      });
      await expect(load(half, 'people', { rows: NEW, supersede: EVERYTHING })).rejects.toThrow('stopped');
      await half.close();
      await openWriter(destination(), 'people', { expectedVersion: 1, fence: 9 });
      expect(await stateOf(reader)).toBe('old');
      expect(await rowsOf(reader)).toEqual(sorted(CAST));
    }));
});
