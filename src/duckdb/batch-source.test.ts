import { tmpdir } from 'node:os';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Batch, type BatchReader } from '../core/batch.ts';
import { DataError } from '../core/errors.ts';
import type { Schema } from '../core/schema.ts';
import { BatchSource } from './batch-source.ts';
import { Session } from './session.ts';

const SCHEMA: Schema = { fields: [{ name: 'n', type: { kind: 'int32' }, nullable: false }], key: [] };

let session: Session;
let sources = 0;

beforeAll(async () => {
  session = await Session.open({
    memoryBytes: 128 << 20,
    tempDirectory: path.join(tmpdir(), 'sluice-source-test'),
    threads: 1,
  });
});

afterAll(() => session.close());

/** Counts from zero in batches of the given sizes, then throws or ends. */
class Counter implements BatchReader {
  readonly #sizes: number[];
  readonly #batch: Batch;
  readonly #error: Error | undefined;
  #next = 0;

  constructor(sizes: number[], error?: Error) {
    this.#sizes = [...sizes];
    this.#batch = new Batch(SCHEMA, Math.max(1, ...sizes));
    this.#error = error;
  }

  next(): Batch | undefined {
    const rows = this.#sizes.shift();
    if (rows === undefined && this.#error) throw this.#error;
    if (rows === undefined) return undefined;
    this.#batch.reset();
    for (let r = 0; r < rows; r++) this.#batch.columns[0]!.i32[r] = this.#next++;
    this.#batch.rows = rows;
    return this.#batch;
  }
}

function register(reader: BatchReader): { source: BatchSource; name: string } {
  const source = new BatchSource(reader);
  const name = `counter_${sources++}`;
  source.register(session.connection, name, SCHEMA);
  return { source, name };
}

const facts = async (name: string): Promise<Record<string, unknown>> =>
  (
    await session.rows(
      `SELECT count(*)::INTEGER AS n, min(c0) AS low, max(c0) AS high, sum(c0)::VARCHAR AS total FROM ${name}()`,
      'counting',
    )
  )[0]!;

it('gives all rows of all batches, whatever their sizes', async () => {
  const { source, name } = register(new Counter([1, 2048, 5000, 8, 2047, 1]));
  expect(await facts(name)).toEqual({ n: 9105, low: 0, high: 9104, total: String((9104 * 9105) / 2) });
  expect(source.rows).toBe(9105);
  expect(source.done).toBe(true);
});

it('without batches has no rows and is done', async () => {
  const { source, name } = register(new Counter([]));
  expect(source.peek()).toBeUndefined();
  expect(await facts(name)).toMatchObject({ n: 0 });
  expect(source.done).toBe(true);
});

it('shows its first batch before a statement reads it, and loses nothing by that', async () => {
  const { source, name } = register(new Counter([10, 10]));
  expect(source.peek()?.rows).toBe(10);
  expect(source.peek()?.rows).toBe(10);
  expect(await facts(name)).toMatchObject({ n: 20, low: 0, high: 19 });
});

it('stops where the limit says and goes on there with the next statement', async () => {
  const { source, name } = register(new Counter([3000, 3000, 3000]));
  const found: Record<string, unknown>[] = [];
  let chunks = 0;
  source.peek();
  while (!source.done) {
    source.limit = () => ++chunks % 2 === 0;
    found.push(await facts(name));
    source.peek();
  }
  expect(found.map((each) => each['n'])).toEqual([3000, 3000, 3000]);
  expect(found.map((each) => each['low'])).toEqual([0, 3000, 6000]);
  expect(source.rows).toBe(9000);
});

it('stops before a batch that the border names, which the next statement begins with', async () => {
  const { source, name } = register(new Counter([100, 3000, 7, 50]));
  const found: unknown[] = [];
  source.peek();
  while (!source.done) {
    const first = source.peek()!;
    const before = source.rows;
    source.border = (batch) => batch.rows === 7 && source.rows > before;
    expect(first.rows).toBe(before === 0 ? 100 : 7);
    found.push((await facts(name))['n']);
    source.peek();
  }
  expect(found).toEqual([3100, 57]);
});

it('keeps the error of its reader in its own class, also one that comes while DuckDB computes', async () => {
  const error = new DataError('reading: row 7 is broken', { code: 'test.broken' });
  for (const sizes of [[], [5], [2048, 2048]]) {
    const { source, name } = register(new Counter(sizes, error));
    await expect(facts(name)).rejects.toThrow('row 7 is broken');
    expect(source.error).toBe(error);
  }
});

it('lets go of its reader when it is closed, although the engine keeps the function', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const load = async (): Promise<WeakRef<BatchReader>> => {
    const reader = new Counter([3, 5]);
    const { source, name } = register(reader);
    expect(await facts(name)).toMatchObject({ n: 8, total: '28' });
    source.close();
    expect(source.done).toBe(true);
    return new WeakRef(reader);
  };
  const reader = await load();
  const gone = (): boolean => {
    collect();
    return reader.deref() === undefined;
  };
  await expect.poll(gone).toBe(true);
});
