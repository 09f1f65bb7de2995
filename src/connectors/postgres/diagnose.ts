/** A relation of PostgreSQL whose rows are looked through for values that reading or a target would change or refuse. */
import type { Limit } from '../../core/diagnose.ts';
import type { SliceRange } from '../../core/stream.ts';
import type { LogicalType } from '../../core/types.ts';
import { renderCursor } from '../shared/cursor-value.ts';
import { type DiagnosedRelation, whereAny } from '../shared/diagnose-relation.ts';
import { quoteName, quoteText } from '../shared/quote.ts';
import { type Condition, type SourceColumn, UNKNOWN } from '../shared/value-checks.ts';
import { comparedSql, LAST_MOMENT } from './canonical.ts';
import { calendar } from './encode-columns.ts';
import { forcedChecks } from './forced-checks.ts';
import { type Relation, rangeCondition } from './relation.ts';
import type { NativeType } from './types.ts';

export interface DiagnosedServer {
  /** server_version_num */
  version: number;
  /** Rows go to another PostgreSQL as they are. */
  direct: boolean;
}

type RelationColumn = Relation['columns'][number];

export function diagnosed(
  relation: Relation,
  ranges: readonly SliceRange[],
  server: DiagnosedServer,
): DiagnosedRelation {
  const conditions = ranges.map((range) => rangeCondition(relation, range));
  return {
    from: `${relation.from}${whereAny(relation.where, conditions)}`,
    columns: relation.columns.map((column) => sourceColumn(relation, column, server)),
    key: relation.schema.key.map((field) => {
      const { mapping, column } = relation.columns.find(({ name }) => name === field)!;
      const sql = comparedSql(mapping, column.type.name);
      const exact = mapping.type.kind === 'utf8' ? `(${sql})::text COLLATE "C"` : sql;
      return { field, text: `left((${sql})::text, ${SHOWN})`, exact };
    }),
    unique: relation.unique,
    fence: ' OFFSET 0',
  };
}

/** Characters of a key that is shown. */
const SHOWN = 200;

function sourceColumn(relation: Relation, column: RelationColumn, server: DiagnosedServer): SourceColumn {
  const { name, mapping, source } = column;
  const { type, select } = mapping;
  const plain = quoteName(source);
  const forced = relation.forced.has(name)
    ? forcedChecks({ x: plain, native: column.column.type, type, version: server.version })
    : [];
  const unseen = forced.some(({ sql }) => sql === UNKNOWN);
  return {
    field: name,
    nullable: relation.schema.fields.find((field) => field.name === name)!.nullable,
    value: relation.forced.has(name) ? plain : select,
    // As it is, NaN is a numeric like others.
    own: [
      ...forced.filter(({ fate }) => !server.direct || fate !== 'null'),
      ...(server.direct || unseen ? [] : decoding(column, relation.forced.has(name))),
    ],
    // A cast of which nobody knows when it fails cannot be used.
    breaks: (limit) => (unseen ? UNKNOWN : breaks(limit, column, relation.forced.has(name))),
  };
}

/** What becomes another value when the wire form is turned into columns. */
function decoding({ mapping, column }: RelationColumn, forced: boolean): SourceColumn['own'] {
  const { select, format } = mapping;
  if (format === 'unchecked-text') return [{ problem: 'no-value', fate: 'altered', sql: UNKNOWN }];
  if (format === 'numeric' && !forced && column.type.name === 'numeric')
    return [{ problem: 'not-finite', fate: 'null', sql: `${select} = 'NaN'` }];
  if (format !== 'timestamp') return [];
  return [
    {
      problem: 'out-of-range',
      fate: 'null',
      sql: `${select} > '${LAST_MOMENT}' AND ${select} <> 'infinity'`,
    },
  ];
}

function breaks(limit: Limit, column: RelationColumn, forced: boolean): Condition {
  const { mapping } = column;
  const { select: x, type } = mapping;
  const native = forced ? undefined : column.column.type;
  switch (limit.problem) {
    case 'too-long':
      return tooLong(limit, column, native);
    case 'too-large':
    case 'fraction':
      return numberBreaks(limit, { x, type, native });
    case 'out-of-range': {
      if (type.kind !== 'date' && type.kind !== 'timestamp') return undefined;
      const own = calendar(type.kind);
      if (limit.infinite && limit.from <= own.from && limit.below >= own.below) return undefined;
      const [from, below] = [limit.from, limit.below].map((bound) => quoteText(renderCursor(bound, type)));
      const outside = `(${x} < ${from} OR ${x} >= ${below})`;
      return limit.infinite ? `${outside} AND isfinite(${x})` : outside;
    }
    case 'not-finite':
      return type.kind === 'float32' || type.kind === 'float64'
        ? `${x} IN ('NaN', 'Infinity', '-Infinity')`
        : undefined;
    case 'negative-zero':
      return type.kind === 'float32' || type.kind === 'float64'
        ? `${x} = 0 AND ${x}::text = '-0'`
        : undefined;
    // The server's text holds none, and it has looked at its JSON.
    case 'zero-character':
    case 'not-json':
      return undefined;
  }
}

/** Characters of the longest value of types whose names are no lengths. */
const LONGEST: Readonly<Record<string, number>> = {
  bool: 5,
  int2: 6,
  int4: 11,
  int8: 20,
  oid: 10,
  name: 63,
  uuid: 36,
  macaddr: 17,
  macaddr8: 23,
  inet: 43,
  cidr: 43,
  date: 13,
  time: 15,
  timetz: 21,
};

function tooLong(
  { unit, most, blanks }: Extract<Limit, { problem: 'too-long' }>,
  { mapping, column }: RelationColumn,
  native: NativeType | undefined,
): Condition {
  const text = comparedSql(mapping, column.type.name);
  if (unit === 'bytes') return mapping.type.kind === 'binary' ? `octet_length(${text}) > ${most}` : undefined;
  if (mapping.type.kind !== 'utf8' && mapping.type.kind !== 'json') return undefined;
  const sized = native?.name === 'varchar' || native?.name === 'bpchar';
  const longest =
    native?.sort === 'e'
      ? LONGEST['name']
      : sized && native.modifier > 4
        ? native.modifier - 4
        : LONGEST[native?.name ?? ''];
  if (longest !== undefined && longest <= most) return undefined;
  const counted = blanks ? `(${text})::text` : `rtrim((${text})::text, ' ')`;
  return `char_length(${counted}) > ${most}`;
}

function numberBreaks(
  limit: Extract<Limit, { problem: 'too-large' | 'fraction' }>,
  { x, type, native }: { x: string; type: LogicalType; native: NativeType | undefined },
): Condition {
  const numeric = type.kind === 'decimal' || native?.name === 'numeric';
  const whole = type.kind === 'decimal' ? type.precision - type.scale : DIGITS[type.kind];
  const scale = type.kind === 'decimal' ? type.scale : numeric ? Infinity : 0;
  if (limit.problem === 'fraction') {
    if (!numeric || scale <= limit.scale) return undefined;
    return `${x} <> round(${x}, ${limit.scale})`;
  }
  // What is rounded up may have one digit more.
  if (!numeric && whole === undefined) return undefined;
  if (whole !== undefined && whole + (scale > limit.scale ? 1 : 0) <= limit.whole) return undefined;
  return `${x}::numeric <> 'NaN' AND abs(round(${x}::numeric, ${limit.scale})) >= 10::numeric ^ ${limit.whole}`;
}

const DIGITS: Readonly<Record<string, number>> = { int16: 5, int32: 10, int64: 19 };
