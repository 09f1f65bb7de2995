/**
 * Finds the keys of a table that are gone from the source, in the snapshot that was loaded: both sides hash their keys, bucket by
 * bucket, and those of buckets that differ are compared one by one. Writes nothing.
 */
import type {
  Bucket,
  Comparable,
  ComparedColumn,
  ComparedTable,
  CompareRequest,
  Within,
} from '../core/compare.ts';
import { ConfigError, TransientError } from '../core/errors.ts';
import { hasRules, renamed, type SliceRange, type StreamConfig } from '../core/stream.ts';
import { compareTables } from './compare-tables.ts';
import { differingBuckets, digitsFor, keptColumns, keyColumns } from './compared-columns.ts';
import { HashList } from './hash-reader.ts';
import type { LoadJob } from './load-job.ts';
import { goneKeys, MOST_MISSED, noKeys } from './match-keys.ts';
import { Sides } from './verify-sides.ts';

/** Keys that are held at once: 32 MiB. What is more comes with the next look. */
const MOST_HELD = 2 ** 21;

export interface GoneKeys {
  /** Rows of the table that were compared. */
  rows: number;
  gone: number;
  /** Of those that are gone, as many as can be held. */
  hashes: HashList;
  /** Of the key. */
  columns: readonly ComparedColumn[];
  /** Keys that are only in the source; undefined where not all that it has is loaded. */
  missing: number | undefined;
  /** Rows with these keys, unless they are too many to be asked for. */
  missed: SliceRange | undefined;
  /** Of the table. */
  version: number;
}

type Job = Pick<LoadJob, 'planned' | 'source' | 'destination' | 'signal'>;

export async function findGone(job: Job): Promise<GoneKeys> {
  const { table: name } = job.planned.plan.stream;
  const tables = await compareTables(job.destination, job.signal);
  let table: ComparedTable | undefined;
  try {
    table = await tables.table(name, job.signal);
    if (!table)
      throw new TransientError(`comparing table "${name}": it is not there any more`, {
        code: 'verify.replaced',
        remedy: 'run again',
      });
    return await search(job, table);
  } finally {
    await table?.close();
    await tables.close();
  }
}

async function search(job: Job, table: ComparedTable): Promise<GoneKeys> {
  const { planned, source, signal } = job;
  const { stream } = planned.plan;
  const rows = source.compare!(stream, planned.survey);
  const columns = keyColumns(planned.schema, planned.survey.schema);
  refuseWithout(stream, columns, rows);
  const digits = digitsFor(Math.max(planned.survey.estimatedRows ?? 0, table.state.rows));
  const scope = await scopeOf(job, table.rows);
  // Rows are nothing but their key here.
  const base = { columns, key: [], digits, current: false, within: scope.within, waiting: undefined };
  const kept = { ...base, columns: keptColumns(columns, table) };
  const sides = new Sides(signal, {
    source: { rows, request: kept },
    target: { rows: table.rows, request: base },
  });
  const { source: there, target: here } = await sides.both((side) =>
    side.rows.buckets(side.request, sides.signal),
  );
  const counts = noKeys();
  const hashes = new HashList();
  const differing = differingBuckets(there, here);
  if (differing.length > 0) {
    // A long list costs more than it saves.
    const only = differing.length > 16 ** digits / 2 ? undefined : differing;
    const ask = (side: Comparable, request: CompareRequest): ReturnType<Comparable['rows']> =>
      side.rows(request, only, signal);
    const all = scope.all && (await scope.all());
    const lists = {
      target: ask(table.rows, base),
      source: ask(rows, kept),
      all: all && ask(all, { ...kept, within: undefined }),
    };
    for await (const piece of goneKeys(lists, counts)) if (hashes.size < MOST_HELD) hashes.add(piece);
  }
  const { gone, missing, missed } = counts;
  const found = { rows: sum(here), gone, hashes, columns, version: table.state.version };
  if (!scope.complete) return { ...found, missing: undefined, missed: undefined };
  const few = missing > 0 && missing <= MOST_MISSED;
  return { ...found, missing, missed: few ? rows.among?.(kept, missed) : undefined };
}

function sum(buckets: readonly Bucket[]): number {
  return buckets.reduce((total, { rows }) => total + rows, 0);
}

interface Scope {
  within: Within | undefined;
  /** The table has all that the stream selects there. */
  complete: boolean;
  /** All that the source has, where the stream selects only some of it: what is not selected any more is not gone. */
  all: (() => Promise<Comparable>) | undefined;
}

async function scopeOf({ planned, source, signal }: Job, target: Comparable): Promise<Scope> {
  const { stream } = planned.plan;
  const { where, cursor, nullCursor, firstRunSeconds, lookback } = stream;
  const late = cursor.length > 0 && firstRunSeconds !== undefined;
  const skips = cursor.length > 0 && nullCursor === 'skip';
  const all = async (): Promise<Comparable> => {
    const whole: StreamConfig = { ...stream, where: undefined, nullCursor: 'load' };
    return source.compare!(whole, await source.survey(whole, planned.checkpoint, {}, signal));
  };
  const scope: Scope = {
    within: undefined,
    // Rows that do not meet a check are to be missing.
    complete: !hasRules(stream),
    all: where !== undefined || skips || late ? all : undefined,
  };
  if (!late) return scope;
  // Where the first run began is known by what it brought only.
  const column = renamed(stream, cursor[0]!);
  const held = planned.survey.schema.fields.some(({ name }) => name === column);
  if (lookback || cursor.length > 1 || !held) return { ...scope, complete: false };
  const from = await target.least(column, signal);
  return from === undefined
    ? { ...scope, complete: false }
    : { ...scope, within: { column, from, nulls: true } };
}

function refuseWithout({ name }: StreamConfig, columns: readonly ComparedColumn[], rows: Comparable): void {
  const lost = columns.find((column) => rows.without?.has(column.name));
  if (lost)
    throw new ConfigError(
      `comparing the keys of ${name}: the source cannot hash "${lost.name}" in the type that \`types\` gives it`,
      { code: 'deletes.unsupported', remedy: 'leave `deletes` out, or the type of that column' },
    );
}
