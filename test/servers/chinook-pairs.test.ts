/**
 * Every pair of systems, there and back, with a database that others made. What is at the end is compared with what was at
 * the beginning by each system's own client, as text, and once more by verify.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { QueryConfig } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { LakeSide } from '../../guarantees/lake-side.ts';
import { MysqlSide } from '../../guarantees/mysql-side.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { connectors } from '../../src/connectors/registry.ts';
import { quoteBackticks, quoteName } from '../../src/connectors/shared/quote.ts';
import type { StreamOptions } from '../../src/core/project.ts';
import type { ProjectContext } from '../../src/engine/context.ts';
import { runPipeline } from '../../src/engine/run.ts';
import { verifyPipeline } from '../../src/engine/verify.ts';
import { CHINOOK, CHINOOK_MYSQL } from '../support/chinook.ts';
import { askDuckdb } from '../support/duckdb-reader.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { useServer } from '../support/server.ts';

const postgres = useServer();
const mariadb = useMariadb();

/** Each with each other one. */
const KINDS = ['PostgreSQL', 'MariaDB', 'lake'] as const;
type Kind = (typeof KINDS)[number] | 'DuckDB';
const PAIRS: [Kind, Kind][] = [
  ...KINDS.flatMap((from, i) => KINDS.slice(i).map((to): [Kind, Kind] => [from, to])),
  ['PostgreSQL', 'DuckDB'],
];

/** One of the systems with a database or folder of its own. */
interface Place {
  connection: Record<string, unknown>;
  /** How its table is called as a stream, and what is asked of it. */
  stream(table: string): string;
  options: StreamOptions;
  query(sql: string): Promise<unknown>;
  /** All columns of all rows, as the client shows them. */
  rows(table: string): Promise<Record<string, unknown>[]>;
  close(): Promise<void>;
}

async function newPlace(kind: Kind): Promise<Place> {
  if (kind === 'PostgreSQL') {
    const side = await PostgresSide.open(postgres());
    return {
      connection: side.connection,
      stream: (table) => `public.${table}`,
      options: { load: 'merge', cursor: 'xmin' },
      query: (sql) => side.query(sql),
      rows: async (table) => {
        const types = { getTypeParser: () => (text: unknown) => text };
        return (await side.db.query({ text: `SELECT * FROM ${quoteName(table)}`, types } as QueryConfig))
          .rows;
      },
      close: () => side.close(),
    };
  }
  if (kind === 'MariaDB') {
    const side = await MysqlSide.open(mariadb());
    return {
      connection: side.connection,
      stream: (table) => `${side.database}.${table}`,
      // Nothing there tells when a row was changed.
      options: { load: 'replace' },
      query: (sql) => side.query(sql),
      rows: (table) => side.query(`SELECT * FROM ${quoteBackticks(table)}`),
      close: () => side.close(),
    };
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-chinook-'));
  if (kind === 'DuckDB') {
    const file = path.join(folder, 'chinook.duckdb');
    return {
      connection: { type: 'duckdb', path: file },
      stream: (table) => table,
      options: { load: 'replace' },
      query: async () => undefined,
      rows: (table) => askDuckdb(file, `SELECT * FROM ${quoteName(table)}`),
      close: async () => rmSync(folder, { recursive: true, force: true }),
    };
  }
  const side = new LakeSide(folder);
  return {
    connection: { type: 'lake', path: side.root },
    stream: (table) => table,
    options: { load: 'merge', cursor: '_sluice_loaded_at' },
    query: async () => undefined,
    rows: (table) => side.query(table, `SELECT * FROM ${quoteName(table)}`),
    close: async () => {
      await side.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** The rows as sorted lines; clients show numbers and times in ways of their own. */
async function lines(place: Place, table: string): Promise<string[]> {
  const text = (value: unknown): string | null => {
    if (value === null || value === undefined) return null;
    const shown = typeof value === 'string' ? value : JSON.stringify(value);
    const time = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(\.0+)?$/.exec(shown);
    return time ? `${time[1]} ${time[2]}` : shown;
  };
  const rows = await place.rows(table);
  return rows
    .map((row) =>
      JSON.stringify(
        Object.keys(row)
          .filter((name) => !name.startsWith('_sluice_'))
          .sort()
          .map((name) => [name, text(row[name])]),
      ),
    )
    .sort();
}

const TABLES: Record<string, string> = {
  album: 'Album',
  artist: 'Artist',
  customer: 'Customer',
  employee: 'Employee',
  genre: 'Genre',
  invoice: 'Invoice',
  invoice_line: 'InvoiceLine',
  media_type: 'MediaType',
  playlist: 'Playlist',
  playlist_track: 'PlaylistTrack',
  track: 'Track',
};

/** Tables that have among them all types of the others, NULLs, and keys of one and of two columns. */
const EVERY_TYPE = ['employee', 'customer', 'invoice', 'track', 'playlist_track'];

const ready = mariadbPresent && CHINOOK !== undefined && CHINOOK_MYSQL !== undefined;
if (!ready) console.log('skipped: these tests need MariaDB and the scripts of Chinook');

describe.runIf(ready)('Chinook', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-pairs-'));
  const origins = new Map<Kind, Place>();
  let pipelines = 0;

  const tablesOf = (origin: Kind): string[] =>
    origin === 'MariaDB' ? Object.values(TABLES) : Object.keys(TABLES);

  /** Runs the pipeline between two places and says what differs afterwards, by our own look and by verify. */
  async function move(from: Place, to: Place, tables: string[], name = `p${++pipelines}`): Promise<unknown> {
    const context: ProjectContext = {
      connectors: await connectors(),
      project: {
        directory: folder,
        connections: { [`from${name}`]: from.connection, [`to${name}`]: to.connection } as never,
        pipelines: {
          [name]: {
            from: `from${name}`,
            to: `to${name}`,
            streams: Object.fromEntries(
              tables.map((table) => [from.stream(table), { ...from.options, table }]),
            ),
          },
        },
        state: { type: 'sqlite', path: 'state.db' },
        memoryBytes: 512 << 20,
      },
    };
    const report = await runPipeline(context, name, {});
    const failed = report.streams.filter(({ error }) => error);
    const differing: string[] = [];
    for (const table of tables) {
      const [before, after] = [await lines(from, table), await lines(to, table)];
      expect(before.length).toBeGreaterThan(0);
      const first = before.findIndex((line, i) => line !== after[i]);
      if (before.length !== after.length || first >= 0)
        differing.push(`${table}: ${before[first]} and ${after[first]}`);
    }
    const verified = await verifyPipeline(context, name, {});
    const unequal = verified.streams.filter(
      ({ status, rows }) => status !== 'equal' || rows.source !== rows.target,
    );
    return {
      failed: failed.map(({ stream, error }) => `${stream}: ${error!.message}`),
      differing,
      unequal: unequal.map(({ stream, status, notes, error }) => ({ stream, status, notes, error })),
    };
  }

  const NOTHING = { failed: [], differing: [], unequal: [] };

  beforeAll(async () => {
    for (const kind of KINDS) origins.set(kind, await newPlace(kind));
    await origins.get('PostgreSQL')!.query(CHINOOK!);
    await origins.get('MariaDB')!.query(CHINOOK_MYSQL!);
    expect(
      await move(origins.get('PostgreSQL')!, origins.get('lake')!, Object.keys(TABLES), 'first'),
    ).toEqual(NOTHING);
  });

  afterAll(async () => {
    await Promise.all([...origins.values()].map((place) => place.close()));
    rmSync(folder, { recursive: true, force: true });
  });

  // There and back: each pair in both directions.
  for (const [from, to] of PAIRS)
    it(`${from} to ${to} and back: no row differs, also after rows have changed`, async () => {
      const [start, there, back] = [origins.get(from)!, await newPlace(to), await newPlace(from)];
      const tables = tablesOf(from);
      // Between two of a kind the way back is the way there.
      const returns = from !== to;
      try {
        for (let run = 0; run < 2; run++) {
          if (run > 0) await change(from, pipelines);
          expect(await move(start, there, tables, `${from}${to}`)).toEqual(NOTHING);
          if (returns) expect(await move(there, back, tables, `${from}${to}back`)).toEqual(NOTHING);
        }
        const end = returns ? back : there;
        for (const table of tables) expect(await lines(end, table)).toEqual(await lines(start, table));
      } finally {
        await Promise.all([there.close(), back.close()]);
      }
    });

  it.each([
    { load: 'append', cursor: '_sluice_loaded_at' },
    { load: 'append', cursor: 'invoice_date' },
    { load: 'replace' },
    { load: 'delete-insert', date: { column: 'invoice_date', by: 'year' }, first_run: 10 * 365 * 86_400 },
  ] as const)('a lake goes to each system by $load', async (options) => {
    const lake = { ...origins.get('lake')!, options };
    for (const kind of KINDS) {
      const to = await newPlace(kind);
      try {
        for (let run = 0; run < 2; run++)
          expect(await move(lake, to, ['invoice'], `${kind}${JSON.stringify(options)}`), kind).toEqual(
            NOTHING,
          );
      } finally {
        await to.close();
      }
    }
  });

  it('through all of them, and some twice: no row differs', async () => {
    const way: Kind[] = [
      'lake',
      'MariaDB',
      'DuckDB',
      'lake',
      'PostgreSQL',
      'DuckDB',
      'MariaDB',
      'PostgreSQL',
      'lake',
    ];
    const places = [origins.get('PostgreSQL')!];
    try {
      for (const kind of way) {
        const next = await newPlace(kind);
        expect(await move(places.at(-1)!, next, EVERY_TYPE), kind).toEqual(NOTHING);
        places.push(next);
      }
      for (const table of EVERY_TYPE)
        expect(await lines(places.at(-1)!, table)).toEqual(await lines(places[0]!, table));
    } finally {
      await Promise.all(places.slice(1).map((place) => place.close()));
    }
  });

  /** Changes and adds rows of an origin; a lake gets them from PostgreSQL. */
  async function change(kind: Kind, by: number): Promise<void> {
    const artist = 10_000 + Math.floor(Math.random() * 1e9) + by;
    if (kind === 'MariaDB') {
      await origins
        .get(kind)!
        .query(
          `UPDATE Track SET Name = CONCAT(LEFT(Name, 150), ' ✓'), UnitPrice = UnitPrice + 0.01 WHERE TrackId % 10 = 3; INSERT INTO Artist VALUES (${artist}, 'Мумий Тролль')`,
        );
      return;
    }
    await origins
      .get('PostgreSQL')!
      .query(
        `UPDATE track SET name = left(name, 150) || ' ✓', unit_price = unit_price + 0.01 WHERE track_id % 10 = 3; INSERT INTO artist VALUES (${artist}, 'Мумий Тролль')`,
      );
    if (kind === 'lake')
      expect(
        await move(origins.get('PostgreSQL')!, origins.get('lake')!, Object.keys(TABLES), 'first'),
      ).toEqual(NOTHING);
  }
});
