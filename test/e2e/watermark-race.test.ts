/**
 * Four writers with transactions of any length, order and end, while loads run in a loop. When all is quiet the lake has
 * to be what the database is. Beside them reads the usual `updated_at > last`, which loses rows: so there was a race.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { expect, it } from 'vitest';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

const SEED = Number(process.env['SLUICE_SEED'] ?? 20_260_724);
const SECONDS = Number(process.env['SLUICE_RACE_SECONDS'] ?? 7);
const WRITERS = 4;

/** Every version of a row has a number of its own, so that one which is loaded twice shows. */
const SQL = `
  CREATE SEQUENCE versions;
  CREATE TABLE t (id int PRIMARY KEY, ver int8 NOT NULL DEFAULT nextval('versions'), updated_at timestamptz NOT NULL DEFAULT now());
  CREATE INDEX ON t (updated_at);
  CREATE TABLE plain (id int PRIMARY KEY, ver int8 NOT NULL DEFAULT nextval('versions'), updated_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE x (id int PRIMARY KEY, ver int8 NOT NULL DEFAULT nextval('versions'));
  CREATE TABLE log (id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, ver int8 NOT NULL DEFAULT nextval('versions'));
  INSERT INTO t SELECT g FROM generate_series(1, 200) g; INSERT INTO plain SELECT g FROM generate_series(1, 200) g;
  INSERT INTO x SELECT g FROM generate_series(1, 200) g`;

function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Writer {
  index: number;
  client: pg.Client;
  random: () => number;
  nextId: number;
}

/** One thing that happens in a transaction; writers keep to rows of their own, or they would wait for each other. */
async function change(writer: Writer): Promise<void> {
  const { client, random, index } = writer;
  const own = 1 + index + WRITERS * Math.floor(random() * 50);
  const id = (writer.nextId += WRITERS);
  const statements = [
    `INSERT INTO t VALUES (${id}); INSERT INTO log DEFAULT VALUES`,
    `UPDATE t SET ver = DEFAULT, updated_at = now() WHERE id = ${own}`,
    `UPDATE t SET ver = DEFAULT, updated_at = clock_timestamp() WHERE id = ${own}; UPDATE x SET ver = DEFAULT WHERE id = ${own}`,
    `INSERT INTO plain VALUES (${id}); UPDATE plain SET ver = DEFAULT, updated_at = now() WHERE id = ${own}`,
    `INSERT INTO x VALUES (${id}); INSERT INTO log DEFAULT VALUES; INSERT INTO log DEFAULT VALUES`,
  ];
  await client.query(statements[Math.floor(random() * statements.length)]!);
}

async function transaction(writer: Writer): Promise<void> {
  const { client, random, index } = writer;
  await client.query('BEGIN; SELECT now()');
  for (let left = 1 + Math.floor(random() * 5); left > 0; left--) {
    if (random() < 0.4) await sleep(random() * 80);
    if (random() < 0.2) {
      await client.query('SAVEPOINT s');
      await change(writer);
      await client.query(random() < 0.5 ? 'ROLLBACK TO SAVEPOINT s' : 'RELEASE SAVEPOINT s');
    } else await change(writer);
  }
  const how = random();
  if (how < 0.1) await client.query('ROLLBACK');
  else if (how < 0.2) {
    await client.query(`PREPARE TRANSACTION 'writer ${index}'`);
    await sleep(random() * 300);
    await client.query(
      random() < 0.8 ? `COMMIT PREPARED 'writer ${index}'` : `ROLLBACK PREPARED 'writer ${index}'`,
    );
  } else await client.query('COMMIT');
}

/** What many programs do: remember the greatest value and ask for what is above it. */
class NaiveReader {
  readonly rows = new Map<string, string>();
  reads = 0;
  #last = '-infinity';

  async read(client: pg.Client): Promise<void> {
    const { rows } = await client.query<{ id: string; ver: string; at: string }>(
      'SELECT id::text, ver::text, updated_at::text AS at FROM t WHERE updated_at > $1 ORDER BY updated_at',
      [this.#last],
    );
    for (const row of rows) this.rows.set(row.id, row.ver);
    this.#last = rows.at(-1)?.at ?? this.#last;
    this.reads++;
  }
}

it(
  `nothing is lost and nothing doubled while ${WRITERS} writers race with the loads (SLUICE_SEED=${SEED})`,
  { timeout: 120_000 },
  async () => {
    await using pair = await Pair.open(
      server(),
      {
        'public.t': { cursor: 'updated_at', overlap: 0 },
        'public.plain': { cursor: 'updated_at', overlap: 0, load: 'merge' },
        'public.x': { cursor: 'xmin' },
        'public.log': { cursor: 'id' },
      },
      SQL,
    );
    const end = performance.now() + SECONDS * 1000;
    const naive = new NaiveReader();
    const writers: Writer[] = [];
    for (let index = 0; index < WRITERS; index++)
      writers.push({
        index,
        client: await pair.connect(),
        random: mulberry32(SEED * WRITERS + index),
        nextId: 1000 + index,
      });
    const work = writers.map(async (writer) => {
      while (performance.now() < end) await transaction(writer);
    });
    // One that is open while the naive reader looks twice, whatever the others do.
    const slow = await pair.connect();
    const late = (async (): Promise<void> => {
      for (let id = 500_000; performance.now() < end; id++) {
        await slow.query(`BEGIN; INSERT INTO t VALUES (${id})`);
        for (const before = naive.reads; naive.reads < before + 2 && performance.now() < end;)
          await sleep(10);
        await slow.query('COMMIT');
        // In between the watermark may come close to now.
        await sleep(400);
      }
    })();
    const reader = (async (): Promise<void> => {
      while (performance.now() < end) {
        await naive.read(pair.db);
        await sleep(100);
      }
    })();
    let loads = 0;
    for (; performance.now() < end; loads++) await pair.run();
    await Promise.all([...work, late, reader]);
    await naive.read(pair.db);
    // Numbers that were drawn beside open transactions become final one run later.
    for (let i = 0; i < 2; i++) await pair.run();
    expect(loads).toBeGreaterThan(3);
    for (const table of ['t', 'plain', 'x', 'log']) {
      await pair.expectEqual(table);
      await pair.expectNoRepeats(table);
    }
    const { rows } = await pair.db.query<{ id: string; ver: string }>('SELECT id::text, ver::text FROM t');
    const lost = rows.filter((row) => naive.rows.get(row.id) !== row.ver);
    expect(lost.length).toBeGreaterThan(0);
  },
);
