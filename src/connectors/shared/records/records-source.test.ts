import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConnectorContext } from '../../../core/connector.ts';
import type { FilesForm } from '../../../core/source.ts';
import type { StreamConfig } from '../../../core/stream.ts';
import { PLAIN_FILES } from '../look/direct-files.ts';
import type { Fetched, FetchRequest, RecordFeed, Shape } from './feed.ts';
import { RecordsSource } from './records-source.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-records-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const { signal } = new AbortController();

/** Brings pages of records. */
function feedOf(pages: readonly (readonly object[])[], flatten: number): RecordFeed {
  const shape: Shape = { key: ['id'], asked: 'test', config: { flatten } };
  return {
    check: () => Promise.reject(new Error('nobody asks')),
    streams: async () => [],
    fetch: async ({ spool }: FetchRequest): Promise<Fetched> => {
      for (const [i, records] of pages.entries()) {
        const writer = spool.begin();
        for (const record of records) writer.write(Buffer.from(`${JSON.stringify(record)}\n`));
        await spool.add(writer, { name: `page ${i + 1}`, records: records.length });
      }
      return { ...shape, seconds: 0, notes: [] };
    },
    close: async () => {},
  };
}

interface Given {
  accepts?: readonly string[];
  cursor?: string[];
  flatten?: number;
}

/** Who reads the first slice of what is fetched. */
async function directOf(
  pages: readonly (readonly object[])[],
  { accepts = [PLAIN_FILES], cursor = [], flatten = 0 }: Given = {},
): Promise<FilesForm | undefined> {
  const stream: StreamConfig = {
    name: 't',
    table: 't',
    load: 'merge',
    cursor,
    nullCursor: 'load',
    rename: {},
    types: {},
  };
  const source = new RecordsSource(feedOf(pages, flatten), { directory: folder } as ConnectorContext);
  const snapshot = await source.open(signal, accepts);
  try {
    const survey = await snapshot.survey(stream, undefined, {}, signal);
    const slice = { id: 's', range: survey.parts[0]!, overlap: false };
    const reader = await snapshot.read(stream, survey, slice, signal);
    const direct = reader.format === 'bytes' ? reader.direct : undefined;
    if (direct) expect(await (direct as FilesForm).unchanged()).toBe(true);
    return direct as FilesForm | undefined;
  } finally {
    await snapshot.close();
    await source.close();
  }
}

describe('records that have arrived', () => {
  const filler = 'x'.repeat(1000);
  const page = (from: number, count: number): object[] =>
    Array.from({ length: count }, (_, i) => ({
      id: from + i,
      at: `2026-01-01T00:00:${10 + (i % 50)}`,
      filler,
    }));

  it('are left to the DuckDB of the destination where it reads what we do', async () => {
    const direct = await directOf([page(0, 3), page(3, 2)]);
    expect(direct!.scan.files.map(({ rows }) => rows)).toEqual([3, 2]);
    expect(direct!.facts()).toMatchObject({ rows: 5, high: undefined });
    expect(await directOf([page(0, 3)], { accepts: [] })).toBeUndefined();
    expect(await directOf([page(0, 3)], { flatten: 1 })).toBeUndefined();
  });

  it('are looked at as a whole for that, however many there are', async () => {
    const many = Array.from({ length: 12 }, (_, i) => page(1000 * i, 1000));
    const direct = await directOf(many);
    expect(direct!.facts().rows).toBe(12_000);
    const odd = many.with(6, [...page(6000, 500), { id: 'x' }, ...page(6501, 499)]);
    expect(await directOf(odd)).toBeUndefined();
  });

  it('have their greatest cursor told', async () => {
    const direct = await directOf([page(0, 3), page(3, 60)], { cursor: ['at'] });
    expect(direct!.facts().high).toBe('2026-01-01 00:00:59.000000');
  });

  it('are read by us when some of them come again', async () => {
    expect(await directOf([page(0, 3), page(2, 3)])).toBeUndefined();
  });
});
