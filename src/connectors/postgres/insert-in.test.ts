import type pg from 'pg';
import { expect, it } from 'vitest';
import { sendAll } from '../../core/byte-ring.ts';
import { message, tuple } from './copy-wire.fixture.ts';
import { InsertIn } from './insert-in.ts';

const HEADER = Buffer.from('PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0', 'latin1');
const TRAILER = message(Buffer.from([255, 255]));

interface Asked {
  sql: string;
  values: (Buffer | null)[];
}

/** A server that takes everything, but for the statement with this number. */
function open(refuse?: number): { rows: InsertIn; asked: Asked[] } {
  const asked: Asked[] = [];
  const client = {
    query: async (sql: string, values: (Buffer | null)[]) => {
      // What the driver writes to its socket before it returns.
      asked.push({ sql, values: values.map((value) => (value === null ? null : Buffer.from(value))) });
      await new Promise((resolve) => setImmediate(resolve));
      if (asked.length === refuse) throw new Error('refused');
      return { rowCount: values.length / 2 };
    },
  };
  return { rows: new InsertIn(client as unknown as pg.Client, 't', ['a', 'b']), asked };
}

const ROWS: (Buffer | null)[][] = [
  [Buffer.from('one'), null],
  [Buffer.alloc(0), Buffer.alloc(300, 7)],
  [null, Buffer.from([255, 255])],
];

it('binds the values of rows, wherever the bytes are cut', async () => {
  const bytes = Buffer.concat([
    message(Buffer.concat([HEADER, tuple(ROWS[0]!)])),
    message(Buffer.concat([tuple(ROWS[1]!), tuple(ROWS[2]!)])),
    TRAILER,
  ]);
  for (let cut = 0; cut <= bytes.length; cut++) {
    const { rows, asked } = open();
    await sendAll(rows, bytes.subarray(0, cut));
    await sendAll(rows, bytes.subarray(cut));
    expect(await rows.finish()).toBe(3);
    expect(asked, `cut at ${cut}`).toEqual([
      {
        sql: 'INSERT INTO t (a, b) OVERRIDING SYSTEM VALUE VALUES ($1,$2),($3,$4),($5,$6)',
        values: ROWS.flat(),
      },
    ]);
  }
});

it('sends as many rows in a statement as have 8,192 values or 256 KiB, and a larger row by itself', async () => {
  const { rows, asked } = open();
  const small = Array.from({ length: 5000 }, (_, i) => tuple([Buffer.from(String(i)), null]));
  const large = [200_000, 100_000, 900_000, 10].map((size) => tuple([Buffer.alloc(size), null]));
  const bodies = [HEADER, ...small, ...large];
  await sendAll(rows, Buffer.concat([...bodies.map(message), TRAILER]));
  expect(await rows.finish()).toBe(5004);
  expect(asked.map(({ values }) => values.length / 2)).toEqual([4096, 906, 1, 1]);
  const sent = asked.flatMap(({ values }) => values.filter((_, i) => i % 2 === 0));
  expect(sent.slice(0, 5000).map(String)).toEqual(Array.from({ length: 5000 }, (_, i) => String(i)));
  expect(sent.slice(5000).map((value) => value!.length)).toEqual([200_000, 100_000, 900_000, 10]);
});

it('stops at a statement that the server refuses', async () => {
  const { rows, asked } = open(1);
  const many = Array.from({ length: 20_000 }, () => tuple([null, null]));
  const all = await sendAll(rows, Buffer.concat([HEADER, ...many].map(message)));
  expect(all).toBe(false);
  expect(rows.abandoned).toBe(true);
  await expect(rows.finish()).rejects.toThrow('refused');
  expect(asked).toHaveLength(1);
});

it.each([
  ['the trailer', [message(HEADER), message(tuple(ROWS[0]!))]],
  ['the rest of a row', [message(HEADER), message(tuple(ROWS[0]!).subarray(0, 6)), TRAILER]],
  ['a value', [message(HEADER), message(tuple([null])), TRAILER]],
])('does not take rows without %s for all', async (_, pieces) => {
  const { rows } = open();
  const work = sendAll(rows, Buffer.concat(pieces)).then(() => rows.finish());
  await expect(work).rejects.toMatchObject({ code: 'postgres.malformed_copy' });
});
