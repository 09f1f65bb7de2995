import type pg from 'pg';
import type { CursorFacts } from '../../core/source.ts';
import type { SliceRange } from '../../core/stream.ts';
import { anyRow } from './probe.ts';
import type { Relation } from './relation.ts';

/** A commit costs more than to look at these once more. */
const FEW_ROWS = 20_000;

export interface Overlap {
  /** All rows that may have been loaded; undefined where no index finds them. */
  behind: Extract<SliceRange, { kind: 'cursor' }> | undefined;
  /** Whether there are rows above them. */
  fresh: boolean | undefined;
  /** First transaction that had not begun. */
  nextXid: string;
  /** From which transaction on rows were not in view when the stream was loaded; undefined: nobody knows. */
  unseenFrom: () => Promise<string | undefined>;
}

/** What of the rows that may have been loaded is to be compared. */
export async function overlapOf(
  client: pg.Client,
  relation: Relation,
  { behind, fresh, nextXid, unseenFrom }: Overlap,
): Promise<Pick<CursorFacts, 'overlap' | 'writtenFrom' | 'passed'>> {
  // The first row of an index answers, while all of them would have to be looked up beside those of other conditions.
  const range: SliceRange | undefined = behind && { kind: 'cursor', from: behind.from, upTo: behind.upTo };
  const inside = range && (await anyRow(client, relation, range));
  const some = inside === false ? await anyRow(client, relation, behind!) : inside;
  const writtenFrom = some === false ? undefined : await unseenFrom();
  // Rows without a key are counted against those of the table: some of them, against some.
  const told = relation.schema.key.length > 0 ? writtenFrom : undefined;
  if (!behind || writtenFrom === undefined) return { overlap: some, writtenFrom: told };
  if (BigInt(writtenFrom) >= BigInt(nextXid)) return { overlap: false };
  const overlap = await anyRow(client, relation, { ...behind, writtenFrom });
  const idle = fresh === false && !overlap && inside === true;
  const passed = idle && (await anyRow(client, relation, range, { after: FEW_ROWS }));
  return { overlap, writtenFrom: told, passed };
}
