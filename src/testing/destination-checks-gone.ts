/** Rows whose keys are gone from the source. Only for destinations that hash their rows, see `Destination.compare`. */
import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import {
  type Committed,
  DELETED_AT,
  type Destination,
  type GoneRows,
  KEY_HASH,
} from '../core/destination.ts';
import type { Schema } from '../core/schema.ts';
import type { Cell } from './batch-rows.ts';
import { CAST, type DestinationCheck, expectRows } from './destination-suite.ts';
import { openWriter, PEOPLE, rowsReader, sliceOf, stage, STAGE_ALL } from './kit-load.ts';

const HASHES: Schema = {
  fields: [{ name: KEY_HASH, type: { kind: 'utf8' }, nullable: false }],
  key: [KEY_HASH],
};
const COLUMNS = [{ name: 'id', type: { kind: 'int64' } }] as const;
const FLAGGED: Schema = {
  ...PEOPLE,
  fields: [...PEOPLE.fields, { name: DELETED_AT, type: { kind: 'timestamp', zone: true }, nullable: true }],
};
const BY_KEY = { kind: 'key' as const, key: ['id'] };

/** An integer stands as its digits; docs/concepts/verify.md has the other types. */
function hashOf(id: string): string {
  return createHash('md5').update(id).digest('hex');
}

async function merge(destination: Destination, rows: Cell[][], schema: Schema): Promise<void> {
  const writer = await openWriter(destination, 'people', { schema, history: undefined });
  const staged = await stage(writer, { rows, readerSchema: PEOPLE, supersede: BY_KEY });
  await writer.commit([staged], BY_KEY, { cursor: [] });
  await writer.close();
}

async function takeOut(
  destination: Destination,
  ids: string[],
  how: GoneRows['how'],
  schema: Schema,
): Promise<Committed> {
  const writer = await openWriter(destination, 'people', { schema, history: undefined });
  const gone = { kind: 'gone', how, columns: COLUMNS } as const;
  const reader = rowsReader(
    HASHES,
    ids.map((id) => [hashOf(id)]),
  );
  const options = { ...STAGE_ALL, supersede: gone };
  const load = await writer.stage(sliceOf('gone'), reader, options, new AbortController().signal);
  await expectPresent(destination, CAST.length);
  const committed = await writer.commit([load], gone, { cursor: ['id'] });
  await writer.close();
  return committed;
}

/** Rows that are compared with those of a source. */
async function expectPresent(destination: Destination, rows: number): Promise<void> {
  const { signal } = new AbortController();
  const tables = await destination.compare!(signal);
  const table = await tables.table('people', signal);
  const request = {
    columns: COLUMNS,
    key: [],
    digits: 1,
    current: false,
    within: undefined,
    waiting: undefined,
  };
  const buckets = await table!.rows.buckets(request, signal);
  await table!.close();
  await tables.close();
  expect(buckets.reduce((sum, bucket) => sum + bucket.rows, 0)).toBe(rows);
}

export const GONE_CHECKS: readonly DestinationCheck[] = [
  {
    name: 'takes rows away by the hashes of their keys, at the commit',
    async run(under) {
      const destination = await under.destination();
      await merge(destination, CAST, PEOPLE);
      const committed = await takeOut(destination, ['1', '3', '77'], 'remove', PEOPLE);
      expect(committed).toMatchObject({ changed: 2, rows: 1 });
      await expectRows(under, 'people', [CAST[1]!]);
      const state = await destination.describe('people', new AbortController().signal);
      expect(state).toMatchObject({ rows: 1, version: committed.version, checkpoint: { cursor: ['id'] } });
      await merge(destination, CAST, PEOPLE);
      await expectRows(under, 'people', CAST);
    },
  },
  {
    name: 'flags rows by the hashes of their keys, until they are loaded again',
    async run(under) {
      const destination = await under.destination();
      await merge(destination, CAST, FLAGGED);
      expect(await takeOut(destination, ['1', '3'], 'flag', FLAGGED)).toMatchObject({ changed: 2, rows: 3 });
      await expectPresent(destination, 1);
      await merge(destination, [CAST[0]!], FLAGGED);
      await expectPresent(destination, 2);
    },
  },
];
