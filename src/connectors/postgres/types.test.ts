import { readFileSync } from 'node:fs';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigError } from '../../core/errors.ts';
import { renderType } from '../../core/types.ts';
import { type PostgresServer, startPostgres } from '../../testing/postgres-server.ts';
import { type CatalogColumn, readCatalog } from './catalog.ts';
import { canBeCursor, mapColumn, mapForced, type NativeType, TYPE_RULES } from './types.ts';

let server: PostgresServer;
let client: pg.Client;

beforeAll(async () => {
  server = await startPostgres();
  client = new pg.Client({ connectionString: server.url() });
  await client.connect();
  await client.query('CREATE EXTENSION hstore');
});

afterAll(async () => {
  await client?.end();
  await server?.stop();
});

function section(file: string): string {
  const text = readFileSync(new URL(file, import.meta.url), 'utf8');
  return /<!-- types -->\n([^]*?)\n<!-- end -->/.exec(text)![1]!;
}

interface Row {
  types: string[];
  lake: string;
}

/** Rows of the table in TYPES.md that name types; rules about kinds of types are in words. */
function documented(): Row[] {
  const rows = section('./TYPES.md').matchAll(
    /^\| (`.*?`) (?:and all other types of extensions )?\| `([^`]+)` \|/gm,
  );
  return [...rows].map(([, types, lake]) => ({
    types: [...types!.matchAll(/`([^`]+)`/g)].map((match) => match[1]!).filter((type) => type !== 'geometry'),
    lake: lake!,
  }));
}

let tables = 0;

/** Columns of these types as the catalog has them. */
async function columnsOf(types: string[]): Promise<CatalogColumn[]> {
  const name = `t${tables++}`;
  await client.query(`CREATE TABLE ${name} (${types.map((type, i) => `c${i} ${type}`).join(', ')})`);
  const { rows } = await client.query<{ oid: string }>(`SELECT '${name}'::regclass::oid::int8 AS oid`);
  return (await readCatalog(client, Number(rows[0]!.oid)))[0]!.columns;
}

describe('the table of types', () => {
  it('is the same in TYPES.md and in the documentation', () => {
    expect(section('../../../docs/connectors/postgres.md')).toBe(section('./TYPES.md'));
  });

  it('says what types.ts does with each type that it names', async () => {
    const rows = documented().flatMap(({ types, lake }) => types.map((type) => ({ type, lake })));
    expect(rows.length).toBeGreaterThan(70);
    const columns = await columnsOf(rows.map(({ type }) => type));
    expect(
      columns.map(
        ({ name, type }, i) => `${rows[i]!.type} → ${renderType(mapColumn(name, type, true).type)}`,
      ),
    ).toEqual(rows.map(({ type, lake }) => `${type} → ${lake}`));
  });

  it('names every type that types.ts has a rule for, and every type of the server that a column may have', async () => {
    const { rows } = await client.query<{ name: string; shown: string }>(
      `SELECT typname AS name, format_type(oid, -1) AS shown FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r', 'm') AND (typcategory <> 'A' OR typname IN ('int2vector', 'oidvector'))`,
    );
    const named = new Set(
      documented().flatMap(({ types }) => types.map((type) => type.replace(/\(.*\)/, ''))),
    );
    const shown = new Map(rows.map((row) => [row.name, row.shown]));
    expect(Object.keys(TYPE_RULES).filter((name) => !named.has(shown.get(name)!))).toEqual([]);
    // What the server keeps in its own statistics and plans.
    const inner = /^(pg_node_tree|pg_ndistinct|pg_dependencies|pg_mcv_list|pg_brin_\w+|gtsvector)$/;
    expect(
      rows.filter((row) => !inner.test(row.name) && !named.has(row.shown)).map((row) => row.shown),
    ).toEqual([]);
  });
});

describe('numeric', () => {
  it.each([
    ['numeric(1)', 'decimal(1,0)'],
    ['numeric(38,38)', 'decimal(38,38)'],
    ['numeric(38,39)', 'utf8'],
    ['numeric(36,-2)', 'decimal(38,0)'],
    ['numeric(37,-2)', 'utf8'],
    ['numeric(1,-37)', 'decimal(38,0)'],
    ['numeric(1,-1000)', 'utf8'],
    ['numeric(1,38)', 'decimal(38,38)'],
    ['numeric(1000,1000)', 'utf8'],
    ['numeric(1000,-1000)', 'utf8'],
  ])('%s becomes %s', async (type, lake) => {
    const [column] = await columnsOf([type]);
    expect(column!.native.replace(/,0\)$/, ')')).toBe(type);
    expect(renderType(mapColumn('c0', column!.type, true).type)).toBe(lake);
  });
});

const INT: NativeType = { name: 'int4', schema: 'pg_catalog', sort: 'b', category: 'N', modifier: -1 };

describe('a type that the user pins', () => {
  it.each([
    ['text', 'utf8', '"c"::text'],
    ['utf8', 'utf8', '"c"::text'],
    ['int64', 'int64', '"c"::bigint'],
    ['decimal(20,4)', 'decimal(20,4)', '"c"::numeric(20,4)'],
    ['timestamptz', 'timestamptz', '"c"::timestamptz'],
    ['binary', 'binary', '"c"::text'],
  ])('%s is asked of the server', (wanted, type, select) => {
    const mapping = mapForced('c', INT, wanted, true);
    expect(renderType(mapping.type)).toBe(type);
    expect(mapping.select).toBe(select);
  });

  it('binary takes the bytes of texts as they are', () => {
    for (const name of ['text', 'varchar', 'bpchar', 'bytea', 'json'])
      expect(mapForced('c', { ...INT, name }, 'binary', true).select).toBe('"c"');
    expect(mapForced('c', { ...INT, name: 'jsonb' }, 'binary', true).select).toBe('"c"::text');
  });

  it.each(['integer', 'decimal(39,2)', 'decimal(5,6)', 'decimal', ''])(
    '"%s" is refused with what is possible',
    (wanted) => {
      expect(() => mapForced('c', INT, wanted, true)).toThrow(ConfigError);
      expect(() => mapForced('c', INT, wanted, true)).toThrow(`types.c: "${wanted}" is not a type`);
    },
  );
});

describe('a mapping', () => {
  it('takes names as they are, also those that look like a pattern', () => {
    const select = (name: string, type: string): string =>
      mapColumn(name, { ...INT, name: type }, true).select;
    expect(select('$&', 'interval')).toBe('"$&"::text');
    expect(select('a$$b', 'inet')).toBe(
      `CASE WHEN "a$$b" IS NOT NULL THEN pg_catalog.format('%s', "a$$b") END`,
    );
    expect(select('{}', 'interval')).toBe('"{}"::text');
    expect(select('a"b', 'int4')).toBe('"a""b"');
  });

  it('does not take a type of the same name in another schema for the one of the server', () => {
    for (const name of ['int4', 'numeric', 'money', 'timestamptz', 'jsonb', 'text']) {
      const mapping = mapColumn('c', { ...INT, name, schema: 'public', category: 'U' }, true);
      expect(mapping).toEqual({ type: { kind: 'utf8' }, format: 'text', select: '"c"::text' });
    }
  });

  it('without a known encoding looks at every text', () => {
    const formats = (name: string, sort = 'b', category = 'S'): string =>
      mapColumn('c', { name, schema: 'pg_catalog', sort, category, modifier: -1 }, false).format;
    expect(
      ['text', 'varchar', 'bpchar', 'name', 'json', 'jsonb', 'xml', 'inet'].map((name) => formats(name)),
    ).toEqual(Array(8).fill('unchecked-text'));
    expect(formats('label', 'e')).toBe('unchecked-text');
    expect(formats('_text', 'b', 'A')).toBe('unchecked-text');
    expect(formats('pair', 'c')).toBe('unchecked-text');
    expect(mapForced('c', INT, 'text', false).format).toBe('unchecked-text');
    expect(formats('int4')).toBe('int4');
  });

  it('of a whole number, a date or a moment can be followed as a cursor', () => {
    const able = [
      'int2',
      'int4',
      'int8',
      'oid',
      'date',
      'timestamp',
      'timestamptz',
      'bool',
      'float8',
      'text',
      'uuid',
      'time',
      'bytea',
    ].filter((name) => canBeCursor(mapColumn('c', { ...INT, name }, true).type));
    expect(able).toEqual(['int2', 'int4', 'int8', 'oid', 'date', 'timestamp', 'timestamptz']);
    expect(canBeCursor({ kind: 'decimal', precision: 18, scale: 0 })).toBe(false);
  });
});
