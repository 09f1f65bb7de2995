/** Fields of numbers, days and moments. */
import type { Column } from '../core/batch.ts';
import type { LogicalType } from '../core/types.ts';
import { type Field, type FieldOptions, putWide, type Rows } from './field.ts';
import { fraction, type Words } from './random.ts';

export const DAY_US = 86_400_000_000;

/** The number of the record, from 1 on. */
export function id(name: string): Field {
  return {
    name,
    type: { kind: 'int64' },
    fill: (column, rows) => {
      for (let r = 0; r < rows.count; r++) putWide(column, r, rows.index[r]! + 1);
    },
  };
}

/** The key of the record's parent. */
export function reference(name: string): Field {
  return {
    name,
    type: { kind: 'int64' },
    fill: (column, rows) => {
      for (let r = 0; r < rows.count; r++) putWide(column, r, rows.parent[r]! + 1);
    },
  };
}

export interface Range {
  min: number;
  max: number;
  /** Above 1, small values are the more frequent the greater it is; evenly spread when absent. */
  skew?: number;
}

/** A whole number of `min` to `max`, both among them. */
export function whole(
  name: string,
  { min, max, skew = 1 }: Range,
  { kind = 'int32', ...options }: FieldOptions & { kind?: 'int16' | 'int32' | 'int64' } = {},
): Field {
  return { name, type: { kind }, ...options, fill: numbers({ kind }, { min, span: max - min + 1, skew }) };
}

/** An exact decimal with `scale` digits after the point. */
export function decimal(
  name: string,
  digits: { precision: number; scale: number },
  { min, max, skew = 1 }: Range,
  options: FieldOptions = {},
): Field {
  const unit = 10 ** digits.scale;
  const type: LogicalType = { kind: 'decimal', ...digits };
  const span = Math.round((max - min) * unit) + 1;
  return { name, type, ...options, fill: numbers(type, { min: Math.round(min * unit), span, skew }) };
}

interface Spread {
  min: number;
  span: number;
  skew: number;
}

function numbers(type: LogicalType, { min, span, skew }: Spread): Field['fill'] {
  const short = type.kind === 'int16';
  return (column, { count }, { a }) => {
    for (let r = 0; r < count; r++) {
      const u = a[r]! / 0x1_0000_0000;
      const value = min + Math.floor((skew === 1 ? u : u ** skew) * span);
      if (column.width === 8) putWide(column, r, value);
      else if (short) column.i16[r] = value;
      else column.i32[r] = value;
    }
  };
}

export function flag(name: string, share: number, options: FieldOptions = {}): Field {
  return {
    name,
    type: { kind: 'bool' },
    ...options,
    fill: ({ u8 }, { count }, { a }) => {
      for (let r = 0; r < count; r++) if (fraction(a[r]!) < share) u8[r >> 3]! |= 1 << (r & 7);
    },
  };
}

/** A day between two others, both `YYYY-MM-DD`. */
export function day(name: string, from: string, to: string, options: FieldOptions = {}): Field {
  const first = Date.parse(from) / 86_400_000;
  const span = Date.parse(to) / 86_400_000 - first + 1;
  return {
    name,
    type: { kind: 'date' },
    ...options,
    fill: ({ i32 }, { count }, { a }) => {
      for (let r = 0; r < count; r++) i32[r] = first + Math.floor(fraction(a[r]!) * span);
    },
  };
}

/** A day so many days after the record was made. */
export function dayAfter(name: string, { min, max }: Range, options: FieldOptions = {}): Field {
  return {
    name,
    type: { kind: 'date' },
    ...options,
    fill: ({ i32 }, { count, created }, { a }) => {
      for (let r = 0; r < count; r++)
        i32[r] = Math.floor(created[r]! / DAY_US) + min + Math.floor(fraction(a[r]!) * (max - min + 1));
    },
  };
}

/** When the record was made, or last changed; `zone`: with one, as instants have it. */
export function moment(
  name: string,
  of: 'created' | 'updated',
  { zone = true }: { zone?: boolean } = {},
): Field {
  return {
    name,
    type: { kind: 'timestamp', zone },
    fill: (column, rows) => {
      const moments = rows[of];
      for (let r = 0; r < rows.count; r++) putWide(column, r, moments[r]!);
    },
  };
}

export function uuid(name: string, options: FieldOptions = {}): Field {
  return {
    name,
    type: { kind: 'uuid' },
    ...options,
    fill: ({ u8 }: Column, { count, index }: Rows, { a, b }: Words): void => {
      for (let r = 0; r < count; r++) {
        const words = [a[r]!, b[r]!, Math.imul(a[r]!, 0x9e3779b1) ^ index[r]!, b[r]! ^ index[r]!];
        for (let i = 0; i < 16; i++) u8[16 * r + i] = words[i >> 2]! >>> (24 - 8 * (i & 3));
        // Version 4 and the variant of RFC 9562.
        u8[16 * r + 6] = (u8[16 * r + 6]! & 0x0f) | 0x40;
        u8[16 * r + 8] = (u8[16 * r + 8]! & 0x3f) | 0x80;
      }
    },
  };
}
