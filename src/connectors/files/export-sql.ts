/** SQL that makes columns of a batch into what a file of each format holds. Pure. */
import type { Field, Schema } from '../../core/schema.ts';
import type { LogicalType } from '../../core/types.ts';
import { distinctNames, duckName, duckText, duckType, sourceColumn } from '../../duckdb/types.ts';
import type { TextFormat } from '../shared/lane/lane-protocol.ts';
import type { ExportForm } from './export-name.ts';

/** What DuckDB says of a NULL that cannot be written. */
export const NULL_LINE = 'NULL would be an empty line';

/** The columns of a file, from those of a batch, where they have their places. */
export function selectSql(
  form: Pick<ExportForm, 'format' | 'null'>,
  table: Schema,
  incoming: Schema,
): string {
  const columns = table.fields.map((field) => sourceOf(field, incoming));
  if (form.format === 'jsonl') return `${lineSql(table.fields, columns)} AS line`;
  const names = distinctNames(table.fields.map(({ name }) => name));
  const values =
    form.format === 'parquet' ? columns : table.fields.map(({ type }, i) => csvSql(type, columns[i]!));
  // Readers skip empty lines.
  if (form.format === 'csv' && form.null === '' && values.length === 1)
    values[0] = `CASE WHEN ${columns[0]!} IS NULL THEN error(${duckText(NULL_LINE)}) ELSE ${values[0]!} END`;
  return values.map((value, i) => `${value} AS ${duckName(names[i]!)}`).join(', ');
}

function csvSql(type: LogicalType, column: string): string {
  if (type.kind === 'binary') return hexSql(column);
  return type.kind === 'decimal' ? decimalSql(type, column) : column;
}

/** DuckDB leaves the zero before the point out where a type has no digits there. */
function decimalSql(type: Extract<LogicalType, { kind: 'decimal' }>, column: string): string {
  if (type.scale < type.precision) return `CAST(${column} AS VARCHAR)`;
  return String.raw`regexp_replace(CAST(${column} AS VARCHAR), '^(-?)[.]', '\10.')`;
}

function sourceOf({ name, type }: Field, incoming: Schema): string {
  const index = incoming.fields.findIndex((field) => field.name === name);
  if (index < 0) return `CAST(NULL AS ${duckType(type)})`;
  const same = duckType(incoming.fields[index]!.type) === duckType(type);
  return same ? sourceColumn(index) : `CAST(${sourceColumn(index)} AS ${duckType(type)})`;
}

/** As PostgreSQL writes bytes. */
function hexSql(column: string): string {
  return `('\\x' || lower(hex(${column})))`;
}

/** DuckDB's own writer would go through its JSON type, which rounds numbers and refuses some documents. */
function lineSql(fields: readonly Field[], columns: readonly string[]): string {
  const members = fields.flatMap(({ name, type }, i) => [
    duckText(`${i === 0 ? '{' : ','}${JSON.stringify(name)}:`),
    `coalesce(${jsonSql(type, columns[i]!)}, 'null')`,
  ]);
  return `concat(${members.join(', ')}, '}')`;
}

function jsonSql(type: LogicalType, column: string): string {
  const text = `CAST(${column} AS VARCHAR)`;
  switch (type.kind) {
    case 'bool':
    case 'int16':
    case 'int32':
    case 'int64':
      return text;
    case 'decimal':
      return decimalSql(type, column);
    case 'float32':
    case 'float64':
      return `CASE WHEN isfinite(${column}) THEN ${text} ELSE ${quoted(text)} END`;
    case 'utf8':
      return `CAST(to_json(${column}) AS VARCHAR)`;
    case 'json':
      // Line breaks in a document are between its values, where a blank is as good.
      return `translate(${column}, chr(10) || chr(13), '  ')`;
    case 'binary':
      return quoted(`'\\\\x' || lower(hex(${column}))`);
    case 'uuid':
    case 'date':
    case 'time':
      return quoted(text);
    case 'timestamp':
      return quoted(momentSql(text, type.zone));
  }
}

function quoted(text: string): string {
  return `'"' || ${text} || '"'`;
}

/** With the T and the Z of ISO 8601; moments before Christ stay as DuckDB writes them. */
function momentSql(text: string, zone: boolean): string {
  const iso = `replace(${text}, ' ', 'T')`;
  const whole = zone ? `replace(${iso}, '+00', 'Z')` : iso;
  return `CASE WHEN contains(${text}, ' (BC)') THEN ${text} ELSE ${whole} END`;
}

/** Undefined: the file is Parquet. */
export function textFormat(form: ExportForm, header: boolean): TextFormat | undefined {
  if (form.format === 'parquet') return undefined;
  const gzip = form.compression === 'gzip';
  const packed = form.compression === 'zstd' ? ', COMPRESSION zstd' : ', COMPRESSION none';
  const dialect =
    form.format === 'csv'
      ? `DELIMITER ${duckText(form.delimiter)}, NULLSTR ${duckText(form.null)}`
      : // Lines are whole as they come: there is nothing to part, and nothing to quote.
        `DELIMITER '\u0001', QUOTE '', ESCAPE '', NULLSTR '\u0002'`;
  const ends = form.format === 'csv' ? 'line outside of quotes' : 'line';
  // Who writes NULL with a quote or a line break has records that bytes do not tell apart.
  const told = form.compression !== 'zstd' && !/["\n]/.test(form.null);
  return {
    options: dialect + packed,
    header: header && form.format === 'csv',
    gzip,
    records: told ? ends : undefined,
  };
}
