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
    const text = part(sql, column.type, dialect);
    // What cannot hold NULL may still become it by a rule of its type.
    return nullable || mayBecomeNull(column.type) ? dialect.orEmpty(text) : text;
  });
  return joined(parts, dialect);
}

function mayBecomeNull({ kind }: LogicalType): boolean {
  return kind === 'decimal' || kind === 'timestamp';
}

/** The columns of a key in the order of the table, which is that of neither side's configuration. */
export function keyColumns({ columns, key }: CompareRequest): ComparedColumn[] {
  return columns.filter(({ name }) => key.includes(name));
}

function part(expression: string, type: LogicalType, dialect: RowDialect): string {
  const value = dialect.value(expression, type);
  if (!isLong(type)) return value;
  const short = dialect.inline(value, type);
  const bytes = dialect.bytes(value, type);
  const text = `CASE WHEN ${bytes} > ${LONGEST} THEN ${dialect.md5(value, type)} ELSE ${short} END`;
  return dialect.concat(bytes, `':'`, text);
}

function joined(parts: string[], dialect: RowDialect): string {
  if (parts.length <= MOST_ARGUMENTS) return dialect.list(parts);
  const groups: string[] = [];
  for (let i = 0; i < parts.length; i += MOST_ARGUMENTS)
    groups.push(dialect.list(parts.slice(i, i + MOST_ARGUMENTS)));
  return joined(groups, dialect);
}
