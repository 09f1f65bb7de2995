import { afterAll, expect, it } from 'vitest';
import { asBytes } from '../../../core/batch-wire.ts';
import type { ByteSink } from '../../../core/byte-ring.ts';
import type { LoadMethod } from '../../../core/stream.ts';
import { rowsReader, schemaOf } from '../../../testing/kit-load.ts';
import { transcoderPool } from '../transcoder.ts';
import { loadRows, type RowsToLoad } from './load-rows.ts';

const SCHEMA = schemaOf('id int64, v utf8 null');
/** Lines of text. */
const ENCODER = {
  module: new URL('../../mysql/load-encoder.ts', import.meta.url).href,
  name: 'createLoadEncoder',
  options: { form: 'load', stamps: [], signedZeros: true, frameBytes: 1 << 20 },
};
const pool = transcoderPool(1);

afterAll(() => pool.close());

class Taken implements ByteSink {
  text = '';
  abandoned = false;

  write(source: Buffer, from: number, to: number): number {
    this.text += source.toString('utf8', from, to);
    return to - from;
  }

  async room(): Promise<void> {}
}

interface Loaded {
  opened: LoadMethod[];
  sink: Taken;
  job: RowsToLoad;
  lines: string;
}

function prepare(
  rows: number,
  more: Partial<RowsToLoad> & { batchRows?: number; text?: string } = {},
): Loaded {
  const { batchRows = 3, text = 'x', ...given } = more;
  const cells = Array.from({ length: rows }, (_, i) => [String(i), i % 2 === 0 ? `${text}${i}` : null]);
  const sink = new Taken();
  const opened: LoadMethod[] = [];
  const job: RowsToLoad = {
    reader: asBytes(rowsReader(SCHEMA, cells, { batchRows })),
    asked: undefined,
    sizes: { rows: 10, bytes: 5000 },
    pool,
    open: async (method) => {
      opened.push(method);
      return { sink, encoder: ENCODER };
    },
    onRows: () => undefined,
    signal: new AbortController().signal,
    ...given,
  };
  return { opened, sink, job, lines: cells.map(([id, v]) => `${id}\t${v ?? '\\N'}\n`).join('') };
}

it.each([
  ['no rows', prepare(0), 'statements', 'size'],
  ['few rows in several batches', prepare(10), 'statements', 'size'],
  ['one row more', prepare(11), 'bulk', 'size'],
  ['many in one batch', prepare(100, { batchRows: 1000 }), 'bulk', 'size'],
  ['few rows of many bytes', prepare(2, { text: 'y'.repeat(5000) }), 'bulk', 'size'],
  ['more than are converted here', prepare(30_000, { batchRows: 2048 }), 'bulk', 'size'],
  ['few, in bulk as was asked for', prepare(2, { asked: 'bulk' }), 'bulk', 'asked'],
  ['many, by statements as was asked for', prepare(30_000, { asked: 'statements' }), 'statements', 'asked'],
  [
    'many where the server takes nothing in bulk',
    prepare(100, { sizes: { rows: 10, bytes: 5000, noBulk: 'it is off' } }),
    'statements',
    'server',
  ],
] as const)('all rows arrive in their order, %s', async (_, { opened, sink, job, lines }, method, why) => {
  const { facts, by } = await loadRows(job);
  expect(by).toEqual({ method, why });
  expect(opened).toEqual([method]);
  expect(sink.text).toBe(lines);
  expect(facts.rows).toBe(lines.split('\n').length - 1);
});

it('fails when nobody takes the rows, and as the source does', async () => {
  for (const rows of [5, 30_000]) {
    const { job, sink } = prepare(rows);
    sink.abandoned = true;
    await expect(loadRows(job)).rejects.toMatchObject({ recovery: 'cancelled' });
  }
  const failWith = new Error('broken');
  const reader = asBytes(rowsReader(SCHEMA, [['1', null]], { failWith }));
  const { job, opened } = prepare(0, { reader });
  await expect(loadRows(job)).rejects.toBe(failWith);
  expect(opened).toEqual([]);
});
