/** Tables of made-up records in real databases: days that pass in them, and pipelines that follow. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { generateTables, liveOn } from '../../src/generate/tables/generate-tables.ts';
import { connectors } from '../../src/connectors/registry.ts';
import { type Connector, defineProject, run, verify } from '../../src/index.ts';
import { mariadbPresent, session, useMariadb } from '../support/mariadb.ts';
import { inDatabase } from '../support/made-up-tables.ts';
import { newName, useServer } from '../support/server.ts';
import pg from 'pg';

const MODEL = {
  rows: 2000,
  seed: 5,
  deletes: 20,
  drift: { 'new-field': 1, rename: 2, decimal: 1, retype: 3, nested: 2 },
} as const;
const TABLES = ['partners', 'loans', 'payments'] as const;

const folder = mkdtempSync(path.join(tmpdir(), 'sluice-tables-'));
afterAll(() => rmSync(folder, { recursive: true }));
const postgres = useServer();
const mariadb = useMariadb();

async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** What a source finds that has nothing but made-up tables. */
async function discover(name: string, url: string): Promise<string[]> {
  const connector = (await connectors()).get(name) as Connector;
  const place = { name: 'source', directory: '/', memoryBytes: 512 << 20, workers: 1 };
  const source = await connector.openSource!(connector.options.parse({ url }), place);
  try {
    return (await source.discover(new AbortController().signal)).map((stream) => stream.name);
  } finally {
    await source.close();
  }
}

describe('PostgreSQL', () => {
  it('has after some days the very rows of a table that is made for the last of them', async () => {
    const url = await postgres().createDatabase(newName('lived'));
    await query(url, 'CREATE SCHEMA direct');
    const made = await inDatabase(url, (system) => generateTables(system, MODEL));
    expect(made.map(({ table, records }) => [table, records])).toEqual([
      ['partners', 40],
      ['loans', 2000],
      ['payments', 6000],
    ]);
    const lived = await inDatabase(url, (system) => liveOn(system, 3));
    expect(lived.at(-1)).toMatchObject({
      table: 'payments',
      day: 3,
      date: '2026-01-04',
      inserted: 60,
      updated: 120,
      deleted: 60,
    });
    await inDatabase(url, async (system) => {
      // A copy beside it: what lived moves away, and what is made anew is of the day to which the others have lived.
      const live = await system.connect(new AbortController().signal);
      for (const table of TABLES) await live.query(`ALTER TABLE public.${table} SET SCHEMA direct`, 'moving');
      await live.close();
      await generateTables(system, MODEL, { days: 4 });
    });
    for (const table of TABLES) {
      const [columns] = await query(
        url,
        `SELECT string_agg(quote_ident(column_name) || '::text', ', ') AS all FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '${table}'`,
      );
      const rows = (schema: string): string => `SELECT ${String(columns!['all'])} FROM ${schema}.${table}`;
      const [found] = await query(
        url,
        `SELECT (SELECT count(*) FROM (${rows('public')} EXCEPT ${rows('direct')}) a)::int AS missing,
          (SELECT count(*) FROM (${rows('direct')} EXCEPT ${rows('public')}) b)::int AS extra, (SELECT count(*) FROM public.${table}) = (SELECT count(*) FROM direct.${table}) AS same`,
      );
      expect({ table, ...found }).toEqual({ table, missing: 0, extra: 0, same: true });
    }
  });

  it('is followed by a pipeline from day to day', async () => {
    const url = await postgres().createDatabase(newName('followed'));
    const model = { rows: 1500, deletes: 15, drift: { 'new-field': 2 } };
    await inDatabase(url, (system) => generateTables(system, model));
    // What Sluice keeps beside them is nobody's source.
    expect(await discover('postgres', url)).toEqual(['public.loans', 'public.partners', 'public.payments']);
    const project = defineProject({
      connections: { source: { type: 'postgres', url }, lake: { type: 'lake', path: './lake' } },
      pipelines: {
        p: {
          from: 'source',
          to: 'lake',
          streams: { '*': { load: 'merge', cursor: 'updated_at', deletes: 'remove' } },
        },
      },
    });
    const streams: string[][] = [];
    for (let day = 0; day < 3; day++) {
      if (day > 0) await inDatabase(url, (system) => liveOn(system, 1));
      const report = await run(project, 'p', { directory: folder });
      streams.push(report.streams.map(({ table, status }) => `${table} ${status}`).toSorted());
      expect(await verify(project, 'p', { directory: folder, strict: true })).toMatchObject({
        status: 'equal',
      });
    }
    const loaded = TABLES.map((table) => `${table} loaded`).toSorted();
    expect(streams).toEqual([loaded, loaded, loaded]);
  });

  it('refuses tables that are there, unless they are to be replaced', async () => {
    const url = await postgres().createDatabase(newName('refused'));
    await query(url, 'CREATE TABLE loans (id int); INSERT INTO loans VALUES (1)');
    const make = (replace: boolean): Promise<unknown> =>
      inDatabase(url, (system) => generateTables(system, { rows: 10 }, { replace }));
    await expect(make(false)).rejects.toMatchObject({
      code: 'generate.exists',
      message: 'making tables: "loans" is there already',
    });
    expect(await query(url, 'SELECT id FROM loans')).toEqual([{ id: 1 }]);
    expect(await query(url, `SELECT 1 FROM pg_tables WHERE tablename = 'partners'`)).toEqual([]);
    await make(true);
    expect(await query(url, 'SELECT count(*)::int AS n FROM loans')).toEqual([{ n: 10 }]);
  });

  it('lets no days pass in tables that it has not made', async () => {
    const url = await postgres().createDatabase(newName('others'));
    await query(url, 'CREATE TABLE loans (id int)');
    await expect(inDatabase(url, (system) => liveOn(system, 1))).rejects.toMatchObject({
      code: 'generate.no_tables',
    });
  });

  it('leaves nothing of a table whose making was stopped', async () => {
    const url = await postgres().createDatabase(newName('stopped'));
    const stop = new AbortController();
    const making = inDatabase(url, (system) =>
      generateTables(
        system,
        { model: 'tenants', rows: 2_000_000 },
        { signal: stop.signal, onProgress: () => stop.abort() },
      ),
    );
    await expect(making).rejects.toMatchObject({ code: 'cancelled' });
    expect(await query(url, `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`)).toEqual([]);
  });

  it('has records without a value where one is expected, as many as are told', async () => {
    const url = await postgres().createDatabase(newName('broken'));
    const [made] = await inDatabase(url, (system) =>
      generateTables(system, { model: 'tenants', rows: 5000 }, { faults: { rate: 0.02 } }),
    );
    const missing = made!.faults.missing ?? 0;
    expect(missing).toBeGreaterThan(50);
    const required = [
      'tenant',
      'unit',
      'contract',
      'status',
      'rent',
      'deposit',
      'rate',
      'area',
      'rooms',
      'born',
      'moved_in',
      'updated_at',
      'active',
      'score',
      'email',
      'city',
      'zip',
    ];
    const [found] = await query(
      url,
      `SELECT count(*)::int AS n FROM tenants WHERE ${required.map((name) => `${name} IS NULL`).join(' OR ')}`,
    );
    expect(found).toEqual({ n: missing });
    const [lived] = await inDatabase(url, (system) => liveOn(system, 1));
    expect(lived!.faults.missing).toBeGreaterThan(0);
  });
});

describe.runIf(mariadbPresent)('MariaDB', () => {
  it('has after some days the very rows of a table that is made for the last of them', async () => {
    const names = { lived: newName('lived'), direct: newName('direct') };
    const [lived, direct] = [
      await mariadb().createDatabase(names.lived),
      await mariadb().createDatabase(names.direct),
    ];
    await inDatabase(lived, (system) => generateTables(system, MODEL));
    await inDatabase(lived, (system) => liveOn(system, 3));
    await inDatabase(direct, (system) => generateTables(system, MODEL, { days: 4 }));
    expect(await discover('mysql', lived)).toEqual(
      ['loans', 'partners', 'payments'].map((table) => `${names.lived}.${table}`),
    );
    const client = await session(lived);
    try {
      for (const table of TABLES) {
        const [columns] = await client.query<never>(
          `SELECT GROUP_CONCAT(CONCAT('\`', column_name, '\`')) AS names FROM information_schema.columns WHERE table_schema = '${names.direct}' AND table_name = '${table}'`,
        );
        const list = String((columns as { names: unknown }[])[0]!.names);
        const rows = (database: string): string => `SELECT ${list} FROM ${database}.${table}`;
        const [found] = await client.query<never>(
          `SELECT (SELECT count(*) FROM (${rows(names.lived)} EXCEPT ${rows(names.direct)}) a) AS missing, (SELECT count(*) FROM (${rows(names.direct)} EXCEPT ${rows(names.lived)}) b) AS extra`,
        );
        expect({ table, ...(found as object[])[0] }).toEqual({ table, missing: '0', extra: '0' });
      }
    } finally {
      await client.end();
    }
  });
});
