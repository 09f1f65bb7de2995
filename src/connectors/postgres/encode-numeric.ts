import type { Column } from '../../core/batch.ts';

/** int16 count of digits, weight, sign, display scale; then digits of 10,000. */
const HEADER = 8;
const NEGATIVE = 0x4000;
/** 38 digits are at most eleven groups of four. */
const MOST_BYTES = HEADER + 2 * 11;
const POWERS: readonly number[] = [1, 10, 100, 1000];

/** Fields of PostgreSQL's numeric (numeric_recv in src/backend/utils/adt/numeric.c) for a column of decimals. */
export class NumericFields {
  offsets: Int32Array = new Int32Array(0);
  bytes: Uint8Array = new Uint8Array(0);
  #view = new DataView(this.bytes.buffer);
  readonly #groups = new Int32Array(16);

  fill(column: Column, rows: number): void {
    if (column.type.kind !== 'decimal') throw new TypeError('a numeric is made from decimals');
    this.#reserve(rows);
    const { scale } = column.type;
    const fraction = Math.ceil(scale / 4);
    const pad = POWERS[fraction * 4 - scale]!;
    const words = column.width >> 2;
    const some = column.nullCount > 0;
    let at = 0;
    for (let r = 0; r < rows; r++) {
      this.offsets[r] = at;
      if (some && column.isNull(r)) continue;
      const small = smallValue(column.i32, r * words, words);
      at =
        small !== undefined && Math.abs(small) * pad <= Number.MAX_SAFE_INTEGER
          ? this.#write(at, this.#split(Math.abs(small) * pad), { negative: small < 0, scale, fraction })
          : this.#writeBig(at, bigValue(column.i32, r * words, words), { pad, scale, fraction });
    }
    this.offsets[rows] = at;
  }

  #reserve(rows: number): void {
    if (this.offsets.length > rows) return;
    this.offsets = new Int32Array(rows + 1);
    this.bytes = new Uint8Array(rows * MOST_BYTES);
    this.#view = new DataView(this.bytes.buffer);
  }

  /** Puts the groups of four digits into `#groups`, least first; returns how many. */
  #split(value: number): number {
    let count = 0;
    for (let rest = value; rest > 0; count++) {
      const next = Math.floor(rest / 10_000);
      this.#groups[count] = rest - next * 10_000;
      rest = next;
    }
    return count;
  }

  #writeBig(
    at: number,
    value: bigint,
    { pad, scale, fraction }: { pad: number; scale: number; fraction: number },
  ): number {
    const negative = value < 0n;
    let rest = (negative ? -value : value) * BigInt(pad);
    let count = 0;
    for (; rest > 0n; count++) {
      this.#groups[count] = Number(rest % 10_000n);
      rest /= 10_000n;
    }
    return this.#write(at, count, { negative, scale, fraction });
  }

  #write(
    at: number,
    count: number,
    { negative, scale, fraction }: { negative: boolean; scale: number; fraction: number },
  ): number {
    let least = 0;
    // Zeros at the end are not sent.
    while (least < count && this.#groups[least] === 0) least++;
    const digits = count - least;
    const view = this.#view;
    view.setInt16(at, digits);
    view.setInt16(at + 2, digits === 0 ? 0 : count - fraction - 1);
    view.setUint16(at + 4, negative && digits > 0 ? NEGATIVE : 0);
    view.setInt16(at + 6, scale);
    let p = at + HEADER;
    for (let k = count - 1; k >= least; k--, p += 2) view.setInt16(p, this.#groups[k]!);
    return p;
  }
}

/** The value when 53 bits surely hold it. */
function smallValue(data: Int32Array, at: number, words: number): number | undefined {
  const low = data[at]!;
  if (words === 1) return low;
  const high = data[at + 1]!;
  if (words === 4 && (data[at + 2] !== high >> 31 || data[at + 3] !== high >> 31)) return undefined;
  if (high < -0x20_0000 || high >= 0x20_0000) return undefined;
  return high * 4_294_967_296 + (low >>> 0);
}

function bigValue(data: Int32Array, at: number, words: number): bigint {
  let value = BigInt(data[at + words - 1]!);
  for (let k = words - 2; k >= 0; k--) value = (value << 32n) | BigInt(data[at + k]! >>> 0);
  return value;
}
