import type { Column } from '../../core/batch.ts';
import { InternalError } from '../../core/errors.ts';
import { renderCursor } from './cursor-value.ts';

/**
 * Tracks the greatest value of a cursor column while it is decoded, so that no extra query over the table is
 * needed. Compared as two 32-bit halves: BigInt per row would cost more than decoding.
 */
export class HighWater {
  readonly #column: Column;
  readonly #words: number;
  #seen = false;
  #high = 0;
  #low = 0;

  constructor(column: Column) {
    this.#column = column;
    this.#words = column.width >> 2;
    if (![2, 4, 8, 16].includes(column.width)) {
      throw new InternalError(`a cursor of type ${column.type.kind} cannot be tracked`, {
        code: 'stream.cursor_type',
      });
    }
  }

  look(from: number, to: number): void {
    const column = this.#column;
    const checkNull = column.nullCount > 0;
    for (let r = from; r < to; r++) {
      if (checkNull && column.isNull(r)) continue;
      const high = this.#upper(r);
      if (this.#seen && high < this.#high) continue;
      const low = this.#words >= 2 ? column.i32[this.#words * r]! >>> 0 : 0;
      if (!this.#seen || high > this.#high || low > this.#low) {
        this.#seen = true;
        this.#high = high;
        this.#low = low;
      }
    }
  }

  /** All but the lower 32 bits of a value. Of a decimal, which has four words, numbers of up to 20 digits fit. */
  #upper(row: number): number {
    const { i16, i32 } = this.#column;
    if (this.#words === 2) return i32[2 * row + 1]!;
    if (this.#words === 1) return i32[row]!;
    if (this.#words === 0) return i16[row]!;
    return i32[4 * row + 2]! * 4_294_967_296 + (i32[4 * row + 1]! >>> 0);
  }

  get value(): bigint | undefined {
    if (!this.#seen) return undefined;
    return this.#words >= 2 ? (BigInt(this.#high) << 32n) | BigInt(this.#low) : BigInt(this.#high);
  }

  /** The greatest of several columns of one type, as text that PostgreSQL reads back without loss. */
  static greatest(waters: readonly HighWater[]): string | undefined {
    let best: bigint | undefined;
    for (const water of waters) {
      const value = water.value;
      if (value !== undefined && (best === undefined || value > best)) best = value;
    }
    return best === undefined ? undefined : renderCursor(best, waters[0]!.#column.type);
  }
}
