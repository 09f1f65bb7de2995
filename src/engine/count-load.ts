/** What the loads of a stream come to, over all attempts: a slice that is loaded again takes the place of itself. */
import type { Load } from '../core/destination.ts';
import type { MethodTotals, StreamTotals } from '../core/events.ts';
import type { Slice } from '../core/stream.ts';
import { emptyTotals } from './stream-report.ts';

/** What a slice adds to the totals. */
interface Counted {
  rows: number;
  bytes: number;
  loaded: number;
  written: number;
  quarantined: number;
  skipped: number;
  coerced: Readonly<Record<string, number>>;
  by: MethodTotals | undefined;
  /** Rows that the slice has loaded before were left out. */
  compared: boolean;
}

/** What becomes visible of a load; `quarantined` were not there before. */
type Settled = Pick<Counted, 'loaded' | 'written' | 'quarantined'>;

export class LoadCounts {
  readonly totals: StreamTotals = emptyTotals();
  /** Of the present attempt: read, and neither committed nor given up. */
  readonly #open = new Map<Load, Counted>();
  /** By {@link workOf} of their slice. */
  readonly #settled = new Map<string, Counted>();

  /** A new attempt begins: what the last one has read and not committed is read again. */
  begin(): void {
    for (const load of this.#open.keys()) this.forget(load);
  }

  staged(load: Load, compared: boolean): void {
    const { facts, by } = load;
    const { rows, bytes, coerced, quarantined = 0, superseded = 0 } = facts;
    const counted = {
      rows: rows + quarantined + superseded,
      bytes,
      loaded: 0,
      written: 0,
      quarantined: 0,
      skipped: 0,
      coerced,
      by: by && { ...by, loads: 1, rows, bytes },
      compared,
    };
    this.#open.set(load, counted);
    this.#add(counted, 1);
  }

  /** It is staged again. */
  forget(load: Load): void {
    this.#add(this.#open.get(load)!, -1);
    this.#open.delete(load);
  }

  /** They are committed together, or have brought nothing. */
  settled(loads: ReadonlyMap<Load, Settled>): void {
    let left = 0;
    for (const [load, { loaded, written, quarantined }] of loads) {
      const counted = this.#open.get(load)!;
      const work = workOf(load.slice);
      const before = this.#settled.get(work);
      const kept = counted.compared ? before : undefined;
      const now: Counted = {
        ...counted,
        loaded: loaded + (kept?.loaded ?? 0),
        written: written + (kept?.written ?? 0),
        quarantined: quarantined + (kept?.quarantined ?? 0),
      };
      // What has changed may be known of all of them together only.
      left += now.rows - now.loaded - now.quarantined;
      now.skipped = Math.max(0, left);
      left -= now.skipped;
      this.#add(now, 1);
      this.#add(counted, -1);
      if (before) this.#add(before, -1);
      this.#open.delete(load);
      this.#settled.set(work, now);
    }
  }

  #add(counted: Counted, sign: 1 | -1): void {
    const { totals } = this;
    for (const figure of ['rows', 'bytes', 'loaded', 'written', 'quarantined', 'skipped'] as const)
      totals[figure] += sign * counted[figure];
    for (const [column, count] of Object.entries(counted.coerced)) {
      const before = Object.hasOwn(totals.coerced, column) ? totals.coerced[column]! : 0;
      totals.coerced[column] = before + sign * count;
      if (totals.coerced[column] === 0) delete totals.coerced[column];
    }
    if (counted.by) countMethod(totals, counted.by, sign);
  }
}

/** The same for the same rows: records have another slice when more of them was looked at. */
function workOf({ id, range }: Slice): string {
  if (range.kind !== 'files') return id;
  return JSON.stringify(range.files.map((part) => [part.path, part.etag, part.range]));
}

function countMethod(totals: StreamTotals, more: MethodTotals, sign: 1 | -1): void {
  const all = (totals.methods ??= []);
  const { loads, rows, bytes } = more;
  const same = all.find(({ method, why }) => method === more.method && why === more.why);
  if (!same) all.push({ ...more });
  else {
    same.loads += sign * loads;
    same.rows += sign * rows;
    same.bytes += sign * bytes;
  }
  totals.methods = all.filter((each) => each.loads > 0);
}
