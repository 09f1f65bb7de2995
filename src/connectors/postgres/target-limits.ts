/** Values that a column of PostgreSQL does not hold; what becomes of the first ones is done in copy-encoder.ts. */
import type { Limit } from '../../core/diagnose.ts';
import type { LogicalType } from '../../core/types.ts';
import { calendar } from './encode-columns.ts';

export function targetLimits(type: string, logical: LogicalType): readonly Limit[] {
  const sized = /^(character varying|character|numeric)\((\d+)(?:,(\d+))?\)$/.exec(type);
  switch (logical.kind) {
    case 'date':
    case 'timestamp':
      return [{ problem: 'out-of-range', fate: 'null', ...calendar(logical.kind), infinite: true }];
    case 'decimal':
      if (sized?.[1] !== 'numeric') return [];
      return [
        {
          problem: 'too-large',
          fate: 'refused',
          whole: Number(sized[2]) - Number(sized[3] ?? 0),
          scale: Number(sized[3] ?? 0),
        },
      ];
    case 'utf8':
    case 'json':
      return [
        { problem: 'zero-character', fate: 'altered' },
        ...(type === 'json' ? [{ problem: 'not-json', fate: 'refused' } as const] : []),
        // What is beyond the length and blank is cut.
        ...(sized && sized[1] !== 'numeric'
          ? [
              {
                problem: 'too-long',
                fate: 'refused',
                unit: 'characters',
                most: Number(sized[2]),
                blanks: false,
              } as const,
            ]
          : []),
      ];
    default:
      return [];
  }
}
