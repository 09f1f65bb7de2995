/** A relation of MySQL or MariaDB whose rows are looked through for values that reading or a target would change or refuse. */
import type { Limit } from '../../core/diagnose.ts';
import type { SliceRange } from '../../core/stream.ts';
import { parseCursor, renderCursor } from '../shared/cursor-value.ts';
import { type DiagnosedRelation, whereAny } from '../shared/diagnose-relation.ts';
import { quoteBackticks } from '../shared/quote.ts';
import { type Condition, type SourceColumn, UNKNOWN } from '../shared/value-checks.ts';
import { comparedSql } from './canonical.ts';
import { isNoValue } from './forced-checks.ts';
import { type Relation, rangeCondition } from './relation.ts';

type RelationColumn = Relation['columns'][number];

interface Server {
  mariadb: boolean;
}

export function diagnosed(
  relation: Relation,
  ranges: readonly SliceRange[],
  server: Server,
): DiagnosedRelation {
  const conditions = ranges.map((range) => rangeCondition(relation, range));
  return {
    from: `${relation.from}${whereAny(relation.where, conditions)}`,
    columns: relation.columns.map((column) => sourceColumn(relation, column, server)),
    key: relation.schema.key.map((field) => {
      const { mapping } = relation.columns.find(({ name }) => name === field)!;
      const sql = comparedSql(mapping) ?? mapping.select;
      const { kind } = mapping.type;
      const text = kind === 'binary' ? `LOWER(HEX(${sql}))` : `CAST(${sql} AS CHAR)`;
      // Collations take different texts for equal.
      const exact = kind === 'utf8' ? `CAST(${inUtf8(sql)} AS BINARY)` : sql;
      return { field, text: `LEFT(${text}, ${SHOWN})`, exact };
    }),
    unique: relation.unique,
    fence: '',
  };
}

/** Characters of a key that is shown. */
const SHOWN = 200;

function inUtf8(x: string): string {
  return `CONVERT(${x} USING utf8mb4)`;
}

function sourceColumn(relation: Relation, column: RelationColumn, server: Server): SourceColumn {
  const { name, mapping, source } = column;
  return {
    field: name,
    nullable: relation.schema.fields.find((field) => field.name === name)!.nullable,
    value: quoteBackticks(source),
    own: decoding(column),
    breaks: (limit) => breaks(limit, column, mapping.format === 'parsed', server),
  };
}

/** Text that a pinned type is read from. */
function trimmed(select: string): string {
  return `TRIM(${inUtf8(select)})`;
}

/** What becomes another value when the wire form is turned into columns. */
function decoding({ mapping }: RelationColumn): SourceColumn['own'] {
  const { select: x, format, type } = mapping;
  switch (format) {
    case 'date':
    case 'datetime':
      return [
        { problem: 'no-value', fate: 'null', sql: `${x} IS NOT NULL AND (${comparedSql(mapping)!}) IS NULL` },
      ];
    case 'bool1':
      return [{ problem: 'no-value', fate: 'altered', sql: `${x} NOT IN (0, 1)` }];
    case 'parsed': {
      // What the server itself keeps as such is one.
      if (type.kind === 'uuid' && x.startsWith('`')) return [];
      const sql = isNoValue(trimmed(x), type);
      return [
        { problem: 'no-value', fate: 'null', sql: sql === UNKNOWN ? sql : `${x} IS NOT NULL AND ${sql}` },
      ];
    }
    case 'unchecked-text':
      return [{ problem: 'no-value', fate: 'altered', sql: `NOT (CAST(${inUtf8(x)} AS BINARY) <=> ${x})` }];
    default:
      return [];
  }
}

function breaks(limit: Limit, column: RelationColumn, parsed: boolean, { mariadb }: Server): Condition {
  const { mapping } = column;
  const { select: x, type } = mapping;
  switch (limit.problem) {
    case 'too-long':
      return tooLong(limit, column);
    case 'too-large':
    case 'fraction': {
      if (type.kind !== 'decimal' && DIGITS[type.kind] === undefined) return undefined;
      const scale = type.kind === 'decimal' ? type.scale : 0;
      if (limit.problem === 'fraction')
        return scale <= limit.scale ? undefined : parsed ? UNKNOWN : `${x} <> ROUND(${x}, ${limit.scale})`;
      const whole = type.kind === 'decimal' ? type.precision - scale : DIGITS[type.kind]!;
      // What is rounded up may have one digit more.
      if (whole + (scale > limit.scale ? 1 : 0) <= limit.whole) return undefined;
      return parsed ? UNKNOWN : tooLarge(mapping.format === 'bit' ? `(${x} + 0)` : x, limit);
    }
    case 'out-of-range':
      return outOfRange(limit, column, parsed);
    case 'negative-zero':
      if (mariadb || (type.kind !== 'float32' && type.kind !== 'float64')) return undefined;
      return parsed ? UNKNOWN : `${x} = 0 AND CAST(${x} AS CHAR) LIKE '-%'`;
    case 'zero-character':
      if (type.kind !== 'utf8' && type.kind !== 'json') return undefined;
      if (LONGEST[column.column.type.name] !== undefined) return undefined;
      return `LOCATE(CHAR(0), CAST(${inUtf8(x)} AS BINARY)) > 0`;
    case 'not-json':
      if (type.kind !== 'json' || column.column.type.name === 'json') return undefined;
      return `NOT JSON_VALID(${inUtf8(x)})`;
    // There are none.
    case 'not-finite':
      return undefined;
  }
}

const DIGITS: Readonly<Record<string, number>> = { int16: 5, int32: 10, int64: 19 };

function tooLarge(x: string, { whole, scale }: { whole: number; scale: number }): string {
  const most = `1${'0'.repeat(whole)}`;
  const rounded = `ROUND(${x}, ${scale})`;
  return `(${rounded} >= ${most} OR ${rounded} <= -${most})`;
}

function outOfRange(
  { from, below }: Extract<Limit, { problem: 'out-of-range' }>,
  { mapping, column }: RelationColumn,
  parsed: boolean,
): Condition {
  const { type, select } = mapping;
  if (type.kind !== 'date' && type.kind !== 'timestamp') return undefined;
  // Zero dates have become NULL.
  const [least, most] = [year(column.type.name === 'timestamp' ? 1970 : 0, type), year(10_000, type)];
  const x = parsed ? `CAST(${trimmed(select)} AS ${type.kind === 'date' ? 'DATE' : 'DATETIME(6)'})` : select;
  const text = (bound: bigint): string => {
    const plain = renderCursor(bound, type).replace('+00', '');
    return type.kind === 'date' ? `DATE'${plain}'` : `TIMESTAMP'${plain}'`;
  };
  const parts = [
    from > least ? `${x} < ${text(from)}` : undefined,
    below < most ? `${x} >= ${text(below)}` : undefined,
  ].filter((part) => part !== undefined);
  return parts.length === 0 ? undefined : `(${parts.join(' OR ')})`;
}

function year(number: number, type: Parameters<typeof parseCursor>[1]): bigint {
  // Year 0 is 1 BC.
  return parseCursor(number === 0 ? '0001-01-01 BC' : `${String(number).padStart(4, '0')}-01-01`, type);
}

/** Bytes of the longest value of types whose names are no lengths; none of them holds U+0000. */
const LONGEST: Readonly<Record<string, number>> = { time: 17, inet4: 15, inet6: 45, year: 4, decimal: 67 };
const SIZED = /^(?:var)?(?:char|binary)\((\d+)\)/;
const TINY: ReadonlySet<string> = new Set(['tinytext', 'tinyblob']);

function tooLong(
  { unit, most }: Extract<Limit, { problem: 'too-long' }>,
  { mapping, column }: RelationColumn,
): Condition {
  const { kind } = mapping.type;
  if (unit === 'bytes' ? kind !== 'binary' : kind !== 'utf8' && kind !== 'json') return undefined;
  const { name } = column.type;
  const sized = SIZED.exec(column.native)?.[1];
  const longest = sized === undefined ? (TINY.has(name) ? 255 : LONGEST[name]) : Number(sized);
  if (longest !== undefined && longest <= most) return undefined;
  return `${unit === 'bytes' ? 'LENGTH' : 'CHAR_LENGTH'}(${mapping.select}) > ${most}`;
}
