/** The same value has the same canonical text in PostgreSQL and in DuckDB. MariaDB: test/servers/canonical-mariadb.test.ts. */
import pg from 'pg';
import { expect, it } from 'vitest';
import { DUCK_DIALECT } from '../../src/connectors/shared/duckdb/canonical.ts';
import { postgresDialect } from '../../src/connectors/postgres/canonical.ts';
import { Session } from '../../src/duckdb/session.ts';
import { checkCanonical } from '../support/canonical-check.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

async function postgresWrong(url: string, utf8: boolean): Promise<{ checked: number; wrong: string[] }> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; SET bytea_output = 'hex'`);
  try {
    return await checkCanonical({
      dialect: postgresDialect(utf8),
      literal: ({ postgres }) => postgres,
      bytes: (text) => `encode(convert_to(${text}, 'UTF8'), 'hex')`,
      query: async (sql) => (await client.query<{ text: string }>(sql)).rows.map(({ text }) => text),
    });
  } finally {
    await client.end();
  }
}

it('PostgreSQL', async () => {
  const { checked, wrong } = await postgresWrong(server().url(), true);
  expect(wrong).toEqual([]);
  expect(checked).toBeGreaterThan(3000);
});

it('DuckDB', async () => {
  const session = await Session.open({ memoryBytes: 256 << 20, tempDirectory: '/nowhere', threads: 1 });
  const { checked, wrong } = await checkCanonical({
    dialect: DUCK_DIALECT,
    literal: ({ duckdb }) => duckdb,
    bytes: (text) => `hex(encode(${text}))`,
    query: async (sql) => (await session.rows(sql, 'asking')).map(({ text }) => String(text)),
  });
  session.close();
  expect(wrong).toEqual([]);
  expect(checked).toBeGreaterThan(3000);
});
