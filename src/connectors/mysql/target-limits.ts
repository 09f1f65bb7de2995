/** Values that a column of MySQL or MariaDB does not hold; what becomes of the first ones is done in clip-values.ts. */
import type { Limit } from '../../core/diagnose.ts';
import type { LogicalType } from '../../core/types.ts';
import { DAYS, MICROS } from './clip-values.ts';

const SIZED = /^var(char|binary)\((\d+)\)$/;

export function targetLimits(type: string, logical: LogicalType, mariadb: boolean): readonly Limit[] {
  switch (logical.kind) {
    case 'date':
      return [
        {
          problem: 'out-of-range',
          fate: 'null',
          from: BigInt(DAYS.from),
          below: BigInt(DAYS.below),
          infinite: false,
        },
      ];
    case 'timestamp':
      return [{ problem: 'out-of-range', fate: 'null', ...MICROS, infinite: false }];
    case 'float32':
    case 'float64':
      return [
        { problem: 'not-finite', fate: 'null' },
        ...(mariadb ? [{ problem: 'negative-zero', fate: 'altered' } as const] : []),
      ];
    default: {
      const [, unit, most] = SIZED.exec(type) ?? [];
      if (most === undefined) return [];
      return [
        {
          problem: 'too-long',
          fate: 'refused',
          unit: unit === 'char' ? 'characters' : 'bytes',
          most: Number(most),
          blanks: true,
        },
      ];
    }
  }
}
