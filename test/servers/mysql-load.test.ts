/** What LOAD DATA LOCAL would change or leave out without a word is an error, and nothing of the load is there. */
import type { Connection } from 'mysql2/promise';
import { afterEach, describe, expect, it } from 'vitest';
import type { Destination } from '../../src/core/destination.ts';
import type { Cell } from '../../src/testing/batch-rows.ts';
import { load, type LoadPlan, openWriter, schemaOf, stage } from '../../src/testing/kit-load.ts';
import { loadingBy } from '../support/load-method.ts';
import { mariadbPresent, session, useMariadb } from '../support/mariadb.ts';
import { FAST, openMysql } from '../support/mysql-kit.ts';
import { readMysql } from '../support/mysql-reader.ts';

const server = useMariadb({ settings: [...FAST, '--max-allowed-packet=16M'] });
let databases = 0;
const atEnd: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const work of atEnd.splice(0)) await work();
});

async function open(): Promise<{ destination: Destination; db: Connection }> {
  const url = await server().createDatabase(`load_${++databases}`);
  const db = await session(url);
  const destination = loadingBy('bulk', await openMysql(url));
  atEnd.push(
    () => destination.close(),
    () => db.end(),
  );
  return { destination, db };
}

/** A load into a table without history, whose key has an index. */
async function keyed(destination: Destination, table: string, plan: LoadPlan): Promise<void> {
  const writer = await openWriter(destination, table, { schema: plan.schema!, history: undefined });
  try {
    const staged = await stage(writer, plan);
    await writer.commit([staged], plan.supersede ?? { kind: 'nothing' }, { cursor: [] });
  } finally {
    await writer.close();
  }
}

describe.runIf(mariadbPresent)('LOAD DATA', () => {
  it('refuses a key that is longer than its column, and says where', async () => {
    const { destination, db } = await open();
    const schema = schemaOf('k utf8, v utf8 null');
    const long = 'x'.repeat(255);
    await keyed(destination, 't', { schema, rows: [[long, 'fits']] });
    const rows: Cell[][] = [
      ['a', null],
      ['b', null],
      [`${long}y`, null],
    ];
    await expect(keyed(destination, 't', { schema, rows })).rejects.toMatchObject({
      code: 'mysql.altered',
      recovery: 'data',
      message: expect.stringContaining('column "k", row 3') as string,
    });
    expect((await readMysql(db, 't'))!.rows).toEqual([[long, 'fits']]);
  });

  it.each([
    ['i decimal(6,2) null', 'DECIMAL(6,2) UNSIGNED', '12.34'],
    ['i decimal(6,2) null', 'DOUBLE', '12.34'],
    ['i utf8 null', "ENUM('a')", 'a'],
    ['i timestamp null', 'TIMESTAMP NULL', '1000000'],
    ['i float64 null', 'DECIMAL(10,2)', '1'],
  ])('does not load %s into what somebody has made a %s', async (column, narrow, value) => {
    const { destination, db } = await open();
    const schema = schemaOf(`id int32, ${column}`);
    await load(destination, 't', { schema, rows: [] });
    await db.query(`ALTER TABLE t MODIFY i ${narrow}`);
    await expect(load(destination, 't', { schema, rows: [['1', value]] })).rejects.toMatchObject({
      code: 'sql.misfit',
    });
    expect(await db.query('SELECT * FROM t').then(([rows]) => rows)).toEqual([]);
  });

  it.each([
    ['i int32 null', 'SMALLINT', '40000'],
    ['i int32 null', 'TINYINT UNSIGNED', '-5'],
    ['i int32 null', 'INT UNSIGNED', '-5'],
    ['i decimal(6,2) null', 'DECIMAL(4,0)', '1234.56'],
    ['i utf8 null', 'VARCHAR(3) CHARACTER SET latin1', '注文注文'],
    ['i timestamp null', 'DATETIME', '1'],
    ['i time null', 'TIME', '1'],
    ['i float64 null', 'FLOAT', '1e+300'],
  ])('makes %s wide again where somebody has made it %s', async (column, narrow, value) => {
    const { destination, db } = await open();
    const schema = schemaOf(`id int32, ${column}`);
    await load(destination, 't', { schema, rows: [] });
    await db.query(`ALTER TABLE t MODIFY i ${narrow}`);
    await load(destination, 't', { schema, rows: [['1', value]] });
    expect((await readMysql(db, 't'))!.rows).toEqual([['1', value]]);
  });

  it('refuses NULL in a column that takes none', async () => {
    const { destination } = await open();
    const rows: Cell[][] = [
      ['1', 'x'],
      ['2', null],
    ];
    const work = load(destination, 't', { schema: schemaOf('id int32, v utf8'), rows });
    await expect(work).rejects.toMatchObject({
      code: 'mysql.altered',
      message: expect.stringMatching(/NULL where the column takes none.*row 2/) as string,
    });
  });

  it('tells keys apart by capitals, accents and trailing spaces, and refuses those that are equal', async () => {
    const { destination, db } = await open();
    const schema = schemaOf('k utf8, v int32');
    const keys = ['a', 'A', 'ä', 'a ', ' a', '', 'ß', 'ss', 'a\t', '\\N', 'NULL', '🚚', '🚛'];
    const rows = keys.map((key, i): Cell[] => [key, String(i)]);
    await keyed(destination, 't', { schema, rows });
    expect((await readMysql(db, 't'))!.rows.map((row) => row.join()).toSorted()).toEqual(
      rows.map((row) => row.join()).toSorted(),
    );
    await keyed(destination, 't', { schema, rows, supersede: { kind: 'key', key: ['k'] } });
    expect((await readMysql(db, 't'))!.rows).toHaveLength(keys.length);
    const nullable = schemaOf('k utf8 null, v int32');
    for (const [table, each, key] of [
      ['u', schema, 'a'],
      ['n', nullable, null],
    ] as const)
      for (const kind of ['nothing', 'everything'] as const) {
        const twice: Cell[][] = [
          [key, '1'],
          ['b', '2'],
          [key, '3'],
        ];
        await expect(
          keyed(destination, table, { schema: each, rows: twice, supersede: { kind } }),
        ).rejects.toMatchObject({ code: 'sql.duplicate_key', recovery: 'data' });
      }
  });

  it('carries values that are larger than a packet, and every byte', async () => {
    const { destination, db } = await open();
    const schema = schemaOf('id int32, t utf8, b binary');
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i)).toString('hex');
    const rows: Cell[][] = [
      ['1', "ä\\\n\t'".repeat(3_500_000), bytes],
      ['2', '', bytes.repeat(20_000)],
    ];
    await load(destination, 't', { schema, rows });
    const [[sizes]] = (await db.query(
      'SELECT SUM(LENGTH(t)) AS t, SUM(LENGTH(b)) AS b, MAX(CRC32(b)) AS c FROM t',
    )) as never as [[{ t: string; b: string }]];
    expect(sizes).toMatchObject({ t: String(6 * 3_500_000), b: String(256 * 20_001) });
    const [[small]] = (await db.query('SELECT LOWER(HEX(b)) AS b FROM t WHERE id = 1')) as never as [
      [{ b: string }],
    ];
    expect(small.b).toBe(bytes);
  });

  it('says what is too wide', async () => {
    const { destination } = await open();
    const columns = Array.from({ length: 1100 }, (_, i) => `c${i} int32`).join(', ');
    const schema = schemaOf(columns);
    await expect(
      load(destination, 't', { schema, rows: [schema.fields.map(() => '1')] }),
    ).rejects.toMatchObject({ code: 'mysql.too_wide' });
    const keys = schemaOf('a utf8, b utf8, c utf8, d utf8', ['a', 'b', 'c', 'd']);
    await expect(
      keyed(destination, 'k', { schema: keys, rows: [], supersede: { kind: 'everything' } }),
    ).rejects.toMatchObject({ code: 'mysql.too_wide' });
  });
});
