/** Rows of dumps that do not fit their target are put aside with their lines, and come back when it takes them, without the dump. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { LakeSide } from '../../guarantees/lake-side.ts';
import { MysqlTargetSide } from '../../guarantees/mysql-target-side.ts';
import { PostgresSide } from '../../guarantees/postgres-side.ts';
import { type ConnectionConfig, type ProjectDefinition, quarantine, run } from '../../src/index.ts';
import { askDuckdb } from '../support/duckdb-reader.ts';
import { mariadbPresent, useMariadb } from '../support/mariadb.ts';
import { useServer } from '../support/server.ts';

const postgres = useServer();
const mariadb = useMariadb();

type Load = 'append' | 'merge' | 'replace' | 'scd2';
type Ask = (sql: string) => Promise<Record<string, unknown>[]>;

/** A row that does not fit, by the place of its line among those of rows, from 0. */
interface Odd {
  at: number;
  row: Partial<Row>;
  code: string;
}

interface Row {
  id: number;
  name: string | null;
  n: string;
  b: string;
  moment: string;
}

interface Database {
  open(folder: string): Promise<{ connection: ConnectionConfig; ask: Ask }>;
  stream: string;
  dump: (rows: readonly Row[]) => string;
  /** Of `b`. */
  hex: string;
  /** Of the first row. */
  line: number;
  made(more: string): string[];
  relaxed: string[];
  moment: string;
  odd: readonly Odd[];
}

/** Two slices of a megabyte. */
const ROWS = 1600;
const HALF = ROWS / 2;
const PAD = 'pad '.repeat(300);

/** Of each of them there is an earlier one: in the same slice, or in another one. */
const DOUBLES: readonly Odd[] = [
  { at: 12, row: { id: 3, n: '7' }, code: 'row.duplicate' },
  { at: ROWS - 3, row: { id: 5, n: '7' }, code: 'row.duplicate' },
];
const BROKEN: Odd = { at: 20, row: { n: 'x' }, code: 'row.type' };
const UNIQUE: Odd = { at: ROWS - 5, row: { name: 'name 9' }, code: 'row.refused' };
const MISSING: Odd = { at: HALF, row: { name: null }, code: 'row.missing' };
const NEGATIVE: Odd = { at: 30, row: { n: '-1' }, code: 'row.refused' };

const copyDump = (rows: readonly Row[]): string =>
  `SET client_encoding = 'UTF8';
CREATE TABLE public.t (id int PRIMARY KEY, name varchar(40), n int, b bytea, moment timestamp, pad text);
COPY public.t (id, name, n, b, moment, pad) FROM stdin;
${rows.map(({ id, name, n, b, moment }) => `${id}\t${name ?? '\\N'}\t${n}\t\\\\x${b}\t${moment}\t${PAD}\\t\n`).join('')}\\.
`;

/** The columns of every other statement come in another order. */
const insertDump = (rows: readonly Row[]): string => {
  const tuple = ({ id, name, n, b, moment }: Row, turned: boolean): string => {
    const [key, text] = [`${id}`, name === null ? 'NULL' : `'${name}'`];
    return `(${turned ? `${text},${key}` : `${key},${text}`},${Number.isNaN(Number(n)) ? `'${n}'` : n},0x${b},'${moment}','${PAD}\\t')`;
  };
  const statements = Array.from({ length: rows.length / 4 }, (_, s) => {
    const turned = s % 2 === 1;
    const tuples = rows.slice(4 * s, 4 * s + 4).map((row) => tuple(row, turned));
    return `INSERT INTO \`t\` (${turned ? '`name`,`id`' : '`id`,`name`'},\`n\`,\`b\`,\`moment\`,\`pad\`) VALUES ${tuples.join(',\n')};\n`;
  });
  return `/*!40103 SET TIME_ZONE='+00:00' */;
CREATE TABLE \`t\` (\`id\` int NOT NULL, \`name\` varchar(40), \`n\` int, \`b\` blob, \`moment\` datetime, \`pad\` text, PRIMARY KEY (\`id\`));
${statements.join('')}`;
};

const UNIQUE_NAMES = 'CREATE UNIQUE INDEX t_names ON t (name)';

const DATABASES: Readonly<Record<string, Database>> = {
  postgres: {
    open: async () => {
      const db = await PostgresSide.open(postgres());
      return { connection: { type: 'postgres', url: db.url }, ask: (sql) => db.query(sql) };
    },
    stream: 'public.t',
    dump: copyDump,
    hex: "encode(b, 'hex')",
    line: 4,
    made: (more) => [
      `CREATE TABLE t (id int NOT NULL, name varchar(40) NOT NULL, n int CONSTRAINT positive CHECK (n > 0), b bytea, moment timestamp, pad text${more})`,
      UNIQUE_NAMES,
    ],
    relaxed: [
      'DROP INDEX t_names',
      'ALTER TABLE t ALTER name TYPE varchar(40), ALTER name DROP NOT NULL, DROP CONSTRAINT positive',
    ],
    moment: 'timestamptz',
    odd: [...DOUBLES, BROKEN, UNIQUE, MISSING, NEGATIVE],
  },
  ...(mariadbPresent && {
    mariadb: {
      open: async () => {
        const db = await MysqlTargetSide.open(mariadb());
        return { connection: { type: 'mysql', url: db.url }, ask: (sql) => db.query(sql) };
      },
      stream: 't',
      dump: insertDump,
      hex: 'lower(hex(b))',
      line: 3,
      made: (more) => [
        `CREATE TABLE t (id int NOT NULL, name varchar(40) NOT NULL, n int, b blob, moment datetime, pad text${more}, CONSTRAINT positive CHECK (n > 0))`,
        UNIQUE_NAMES,
      ],
      relaxed: ['ALTER TABLE t DROP INDEX t_names, DROP CONSTRAINT positive, MODIFY name varchar(40) NULL'],
      moment: 'datetime(6)',
      odd: [...DOUBLES, BROKEN, UNIQUE, MISSING, NEGATIVE],
    },
  }),
  duckdb: {
    open: async (folder) => ({
      connection: { type: 'duckdb', path: './t.duckdb' },
      ask: (sql) => askDuckdb(path.join(folder, 't.duckdb'), sql),
    }),
    stream: 't',
    dump: insertDump,
    hex: 'lower(hex(b))',
    line: 3,
    made: (more) => [
      `CREATE TABLE t (id int NOT NULL, name varchar NOT NULL, n int, b blob, moment timestamp, pad text${more})`,
      UNIQUE_NAMES,
    ],
    relaxed: ['DROP INDEX t_names', 'ALTER TABLE t ALTER name DROP NOT NULL'],
    moment: 'timestamptz',
    odd: [...DOUBLES, BROKEN, UNIQUE, MISSING],
  },
  lake: {
    open: async (folder) => {
      const side = new LakeSide(folder);
      const connection: ConnectionConfig = { type: 'lake', path: './lake' };
      side.connection = connection;
      return { connection, ask: (sql) => side.query('t', sql) };
    },
    stream: 'public.t',
    dump: copyDump,
    hex: 'lower(hex(b))',
    line: 4,
    made: () => [],
    relaxed: [],
    moment: '',
    odd: [...DOUBLES, BROKEN],
  },
};

function rowsOf(odd: readonly Odd[]): Row[] {
  const rows = Array.from({ length: ROWS }, (_, at): Row => {
    const day = String(1 + (at % 28)).padStart(2, '0');
    const b = `00ff${at.toString(16).padStart(4, '0')}`;
    return { id: at, name: `name ${at}`, n: `${1 + at}`, b, moment: `2026-02-${day} 01:02:03` };
  });
  for (const { at, row } of odd) rows[at] = { ...rows[at]!, ...row };
  return rows;
}

const CASES: [string, Load][] = [
  ['postgres', 'merge'],
  ['postgres', 'replace'],
  ['postgres', 'scd2'],
  ...(mariadbPresent
    ? ([
        ['mariadb', 'merge'],
        ['mariadb', 'replace'],
      ] as [string, Load][])
    : []),
  ['duckdb', 'append'],
  ['duckdb', 'merge'],
  ['lake', 'merge'],
];

it.each(CASES)('into %s by %s, a dump brings all rows, or puts them aside', async (name, load) => {
  const database = DATABASES[name]!;
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-dump-'));
  try {
    const { connection, ask } = await database.open(folder);
    const { moment } = database;
    const more = {
      append: '',
      merge: ', PRIMARY KEY (id)',
      // Elsewhere replaying does without.
      replace: name === 'mariadb' ? ', PRIMARY KEY (id)' : '',
      scd2: `, _sluice_valid_from ${moment} NOT NULL, _sluice_valid_to ${moment}`,
    };
    for (const sql of database.made(more[load])) await ask(sql);
    const dump = path.join(folder, 'shop.sql');
    const rows = rowsOf(database.odd);
    writeFileSync(dump, database.dump(rows));
    const project: ProjectDefinition = {
      connections: { dump: { type: 'dump', path: './shop.sql', slice_size: '1 MB' }, to: connection },
      pipelines: { p: { from: 'dump', to: 'to', streams: { [database.stream]: { load, table: 't' } } } },
    };
    const options = { directory: folder };
    const kept = async (): Promise<unknown[]> => {
      const records = await Array.fromAsync(quarantine.read(project, 'p', options));
      return records
        .map(({ file, line, code }) => ({ file, line, code }))
        .toSorted((a, b) => a.line - b.line);
    };
    const aside = (odd: readonly Odd[]): unknown[] =>
      odd
        .map(({ at, code }) => ({ file: 'shop.sql', line: database.line + at, code }))
        .toSorted((a, b) => a.line - b.line);
    const there = async (): Promise<string[]> => {
      const valid = load === 'scd2' ? ' WHERE _sluice_valid_to IS NULL' : '';
      const list = `id, name, n, ${database.hex} AS b, CAST(moment AS CHAR(19)) AS moment, length(pad) AS pad`;
      const found = await ask(`SELECT ${list} FROM t${valid}`);
      return found.map((row) => Object.values(row).join(' ')).toSorted();
    };
    const texts = (some: Iterable<Row>): string[] =>
      [...some]
        .map(({ id, name, n, b, moment }) => [id, name, n, b, moment, PAD.length + 1].join(' '))
        .toSorted();

    // Whoever appends takes whatever comes.
    const odd = database.odd.filter(({ code }) => load !== 'append' || code !== 'row.duplicate');
    const { streams } = await run(project, 'p', options);
    expect(streams[0]!.error).toBeUndefined();
    expect(await kept()).toEqual(aside(odd));
    const { length: bad } = odd;
    expect(streams[0]!.totals).toMatchObject({ rows: ROWS, loaded: ROWS - bad, quarantined: bad });
    const good = rows.filter((_, at) => odd.every((each) => each.at !== at));
    expect(await there()).toEqual(texts(good));
    expect((await run(project, 'p', options)).streams[0]!.status).toBe('nothing-new');

    rmSync(dump);
    for (const sql of database.relaxed) await ask(sql);
    const report = await quarantine.replay(project, 'p', options);
    expect(report!.streams[0]!.error).toBeUndefined();
    const stay = odd.filter(
      ({ code }) => code === 'row.type' || (code === 'row.duplicate' && load === 'replace'),
    );
    expect(await kept()).toEqual(aside(stay));
    const fitting = rows.filter((_, at) => stay.every((each) => each.at !== at));
    // The last one of a key is that which was read again.
    const newest = new Map(fitting.map((row) => [row.id, row]));
    expect(await there()).toEqual(texts(load === 'append' ? fitting : newest.values()));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
