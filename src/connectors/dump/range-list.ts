/** Where the rows of each table are, as they are found. */
import type { DumpRange } from './dump-index.ts';

type Beginning = Omit<DumpRange, 'to' | 'inside' | 'rows'>;

/** Ranges of a table; beyond them the last one takes in what lies between, which reading passes over. */
const MOST_RANGES = 10_000;

export class RangeList {
  readonly #byTable = new Map<string, DumpRange[]>();
  readonly #partBytes: number;
  #table = '';
  #last: DumpRange | undefined;
  /** Tables whose last range may go on. */
  readonly #open = new Set<string>();

  constructor(partBytes: number) {
    this.#partBytes = partBytes;
  }

  of(table: string): DumpRange[] {
    return this.#byTable.get(table) ?? [];
  }

  /** Data of a table begins; it may go on with the range that was read last. */
  begin(table: string, beginning: Beginning): void {
    const all = this.#byTable.get(table);
    const last = all?.at(-1);
    const same = last?.kind === 'insert' && last.head === beginning.head;
    const follows = last === this.#last || (all?.length ?? 0) >= MOST_RANGES;
    this.#table = table;
    if (this.#open.has(table) && same && follows) {
      this.#last = last;
      this.mark({ place: beginning.from, line: beginning.line, inside: false });
    } else this.#add({ ...beginning, to: beginning.from, inside: false, rows: 0 });
    this.#open.add(table);
  }

  /** What comes next is not to be taken for rows of the table before it. */
  interrupt(): void {
    this.#open.clear();
  }

  /** The rows so far are gone. */
  drop(table: string): void {
    this.#byTable.delete(table);
    this.#open.delete(table);
  }

  rows(more: number): void {
    this.#last!.rows += more;
  }

  /** A record ends at `place`: the range goes on, or is long enough. */
  mark({ place, line, inside }: { place: number; line: number; inside: boolean }): void {
    const last = this.#last!;
    last.to = place;
    if (place - last.from >= this.#partBytes) this.#add({ ...last, from: place, line, inside, rows: 0 });
  }

  /** The data is at its end. */
  end(place: number): void {
    const last = this.#last!;
    last.to = place;
    if (last.rows === 0) this.#byTable.get(this.#table)!.pop();
    if (last.rows === 0) this.#last = this.of(this.#table).at(-1);
  }

  #add(range: DumpRange): void {
    const all = this.#byTable.get(this.#table);
    if (all) all.push(range);
    else this.#byTable.set(this.#table, [range]);
    this.#last = range;
  }
}
