/**
 * SQL that turns a row into one text and hashes it, put together from the few functions that each system names in its own
 * way. docs/concepts/verify.md says what the text is; a change here changes it on every system at once.
 */
import type { ComparedColumn, CompareRequest } from '../../core/compare.ts';
import type { LogicalType } from '../../core/types.ts';

/** A column's SQL on one side. */
export interface Operand {
  sql: string;
  nullable: boolean;
}

/** What a system calls things. All arguments and results are SQL expressions. */
export interface RowDialect {
  /** The canonical text of a value, or the value itself where it is {@link isLong long}; NULL stays NULL. */
  value(expression: string, type: LogicalType): string;
  /** An empty text in the place of NULL. */
  orEmpty(value: string): string;
  /** What {@link value} gives of a long one as text that can be part of a row. */
  inline(value: string, type: LogicalType): string;
  /** Length in bytes, a number. */
  bytes(value: string, type: LogicalType): string;
  /** A text with U+FFFD in the place of U+0000. */
  withoutNul(value: string): string;
  /** 32 lower-case hexadecimal digits. */
  md5(value: string, type?: LogicalType): string;
  /** As one text; NULL when one of them is. The first may be a number. */
  concat(...parts: string[]): string;
  /** With commas between them; none is NULL. */
  list(parts: string[]): string;
}

/** A longer value stands in the row's text as its MD5: every system has a limit for one text. */
const LONGEST = 65_536;
/** PostgreSQL's functions take at most 100 arguments. */
const MOST_ARGUMENTS = 90;

/** Values that may hold any character, and so are preceded by their length. */
function isLong(type: LogicalType): boolean {
  return type.kind === 'utf8' || type.kind === 'json' || type.kind === 'binary';
}

/** The text of a row or of a key. */
export function rowText(
  columns: readonly ComparedColumn[],
  operand: (column: ComparedColumn) => Operand,
  dialect: RowDialect,
): string {
  const parts = columns.map((column) => {
    const { sql, nullable } = operand(column);
    const text = part(sql, column, dialect);
    // What cannot hold NULL may still become it by a rule of its type, or of where it is kept.
    return nullable || mayBecomeNull(column) ? dialect.orEmpty(text) : text;
  });
  return joined(parts, dialect);
}

function mayBecomeNull({ type: { kind }, keeping }: ComparedColumn): boolean {
  if (kind === 'date') return keeping?.has('four-digit-years') === true;
  if (kind === 'float32' || kind === 'float64') return keeping?.has('finite') === true;
  return kind === 'decimal' || kind === 'timestamp';
}

/** The columns of a key in the order of the table, which is that of neither side's configuration. */
export function keyColumns({ columns, key }: CompareRequest): ComparedColumn[] {
  return columns.filter(({ name }) => key.includes(name));
}

function part(expression: string, { type, keeping }: ComparedColumn, dialect: RowDialect): string {
  const value = kept(expression, { type, rules: keeping ?? NO_RULES }, dialect);
  if (!isLong(type)) return value;
  const short = dialect.inline(value, type);
  const bytes = dialect.bytes(value, type);
  const text = `CASE WHEN ${bytes} > ${LONGEST} THEN ${dialect.md5(value, type)} ELSE ${short} END`;
  return dialect.concat(bytes, `':'`, text);
}

const NO_RULES: NonNullable<ComparedColumn['keeping']> = new Set();

/** Literals of standard SQL, in which a session in UTC reads a timestamp with a zone too. */
const YEARS = {
  date: `DATE '0001-01-01' AND DATE '9999-12-31'`,
  timestamp: `TIMESTAMP '0001-01-01 00:00:00' AND TIMESTAMP '9999-12-31 23:59:59.999999'`,
};

/** The canonical text of what a target keeps in the place of a value. */
function kept(
  x: string,
  { type, rules }: { type: LogicalType; rules: NonNullable<ComparedColumn['keeping']> },
  dialect: RowDialect,
): string {
  const value = dialect.value(x, type);
  switch (type.kind) {
    case 'float32':
    case 'float64': {
      const others = [
        ...(rules.has('finite')
          ? ['7ff8000000000000', '7ff0000000000000', 'fff0000000000000'].map(
              (bits) => `WHEN '${bits}' THEN NULL`,
            )
          : []),
        ...(rules.has('unsigned-zero') ? [`WHEN '8000000000000000' THEN '0000000000000000'`] : []),
      ];
      return others.length === 0 ? value : `CASE ${value} ${others.join(' ')} ELSE ${value} END`;
    }
    case 'date':
    case 'timestamp':
      return rules.has('four-digit-years')
        ? `CASE WHEN ${x} BETWEEN ${YEARS[type.kind]} THEN ${value} END`
        : value;
    case 'utf8':
    case 'json':
      return rules.has('no-nul') ? dialect.withoutNul(value) : value;
    default:
      return value;
  }
}

function joined(parts: string[], dialect: RowDialect): string {
  if (parts.length <= MOST_ARGUMENTS) return dialect.list(parts);
  const groups: string[] = [];
  for (let i = 0; i < parts.length; i += MOST_ARGUMENTS)
    groups.push(dialect.list(parts.slice(i, i + MOST_ARGUMENTS)));
  return joined(groups, dialect);
}
