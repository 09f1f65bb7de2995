/** Loads of versions that are cut after every statement; done again, they leave what one load would have left. */
import { describe, expect, it } from 'vitest';
import pg from 'pg';
import { mysqlOptions } from '../../src/connectors/mysql/options.ts';
import { MysqlTarget } from '../../src/connectors/mysql/target.ts';
import { postgresOptions } from '../../src/connectors/postgres/options.ts';
import { PostgresTarget } from '../../src/connectors/postgres/target.ts';
import { SqlDestination } from '../../src/connectors/shared/sql/destination.ts';
import type { SqlDialect, SqlSession, SqlSystem } from '../../src/connectors/shared/sql/system.ts';
import type { Destination, Supersede } from '../../src/core/destination.ts';
import { TransientError } from '../../src/core/errors.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';
import { VERSION_FIELDS } from '../../src/testing/destination-suite.ts';
import { load, microseconds, openWriter, stage } from '../../src/testing/kit-load.ts';
import { mariadbPresent, session, useMariadb } from '../support/mariadb.ts';
import { FAST } from '../support/mysql-kit.ts';
import { readMysql } from '../support/mysql-reader.ts';
import { readPostgres } from '../support/postgres-reader.ts';
import { useServer } from '../support/server.ts';

const postgres = useServer();
const mariadb = useMariadb({ settings: FAST });
let databases = 0;
const CONTEXT = { name: 'target', directory: '.', memoryBytes: 256 << 20, workers: 1 };

interface Opened {
  system(): SqlSystem;
  read(table: string): Promise<{ rows: Cell[][] } | undefined>;
  close(): Promise<void>;
}

const SYSTEMS: Record<string, () => Promise<Opened>> = {
  PostgreSQL: async () => {
    const url = await postgres().createDatabase(`cuts${++databases}`);
    const reader = new pg.Client(url);
    await reader.connect();
    return {
      system: () => new PostgresTarget(postgresOptions.parse({ url }), CONTEXT),
      read: (table) => readPostgres(reader, table, VERSION_FIELDS),
      close: () => reader.end(),
    };
  },
  MariaDB: async () => {
    const url = await mariadb().createDatabase(`cuts${++databases}`);
    const reader = await session(url);
    return {
      system: () => new MysqlTarget(mysqlOptions.parse({ url }), CONTEXT),
      read: (table) => readMysql(reader, table, VERSION_FIELDS),
      close: () => reader.end(),
    };
  },
};

/** Once armed, all connections are lost with the n-th statement: the server has done it, and we have no answer. */
class Cut implements SqlSystem {
  readonly dialect: SqlDialect;
  readonly workers: number;
  readonly gives: SqlSystem['gives'];
  readonly #inner: SqlSystem;
  #left: number = Infinity;

  constructor(inner: SqlSystem) {
    this.#inner = inner;
    this.dialect = inner.dialect;
    this.workers = inner.workers;
    this.gives = inner.gives;
  }

  arm(statements: number): void {
    this.#left = statements;
  }

  get happened(): boolean {
    return this.#left <= 0;
  }

  title(signal: AbortSignal): Promise<string> {
    return this.#inner.title(signal);
  }

  async connect(signal: AbortSignal): Promise<SqlSession> {
    const inner = await this.#inner.connect(signal);
    const lost = (): TransientError => new TransientError('the connection was cut', { code: 'test.cut' });
    return {
      ...inner,
      query: async (...args) => {
        if (this.happened) throw lost();
        this.#left--;
        const result = await inner.query(...args);
        if (!this.happened) return result;
        await inner.close();
        throw lost();
      },
    };
  }

  async close(): Promise<void> {}
}

const FIRST: Cell[][] = [
  ['1', 'same', null],
  ['2', 'before', null],
  ['3', 'gone', '3'],
];
const SECOND: Cell[][] = [
  ['1', 'same', null],
  ['2', 'after', null],
  ['4', 'new', '4'],
];
const AT = ['2026-07-01 00:00:00+00', '2026-07-02 00:00:00+00'];

const CHECKPOINT = { cursor: [], readAt: AT[1]! };

function expected(gone: boolean): string[] {
  const [first, second] = AT.map((at) => microseconds(at));
  return [
    [...FIRST[0]!, first, null],
    [...FIRST[1]!, first, second],
    [...FIRST[2]!, first, gone ? second : null],
    [...SECOND[1]!, second, null],
    [...SECOND[2]!, second, null],
  ]
    .map((row) => JSON.stringify(row))
    .sort();
}

async function loadSecond(
  destination: Destination,
  table: string,
  gone: boolean,
  armed?: () => void,
): Promise<void> {
  const supersede: Supersede = { kind: 'versions', key: ['id'], gone };
  const writer = await openWriter(destination, table, { history: 'versions', loadedAt: AT[1]! });
  armed?.();
  const staged = await stage(writer, { rows: SECOND, supersede, together: gone });
  await writer.commit([staged], supersede, CHECKPOINT);
  await writer.close();
}

describe.each(Object.entries(SYSTEMS))('%s', (name, open) => {
  const there = mariadbPresent || name !== 'MariaDB';
  it.runIf(there).each([
    ['everything', true],
    ['changes', false],
  ])('a load of %s that is cut after any statement is done again', async (_, gone) => {
    const under = await open();
    const system = under.system();
    const whole = new SqlDestination(system);
    let cuts = 0;
    try {
      for (let done = false; !done; cuts++) {
        const table = `t${cuts}`;
        const supersede: Supersede = { kind: 'versions', key: ['id'], gone: false };
        await load(whole, table, { rows: FIRST, supersede, history: 'versions', loadedAt: AT[0]! });
        const cut = new Cut(system);
        const destination = new SqlDestination(cut);
        await loadSecond(destination, table, gone, () => cut.arm(cuts + 1)).then(
          () => (done = true),
          (error: unknown) => expect(error).toMatchObject({ code: 'test.cut' }),
        );
        await destination.close();
        await loadSecond(whole, table, gone);
        const { rows } = (await under.read(table))!;
        expect(rows.map((row) => JSON.stringify(row)).sort()).toEqual(expected(gone));
        const state = await whole.describe(table, new AbortController().signal);
        expect(state).toMatchObject({ rows: 5, checkpoint: CHECKPOINT });
      }
    } finally {
      await whole.close();
      await under.close();
    }
    // More than it takes to change rows and to write that down.
    expect(cuts).toBeGreaterThan(10);
  });
});
