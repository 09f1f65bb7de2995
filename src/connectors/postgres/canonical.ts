/** The canonical text of values in PostgreSQL's SQL; docs/concepts/verify.md says what it is. */
import type { LogicalType } from '../../core/types.ts';
import type { RowDialect } from '../shared/row-hash.ts';
import type { ColumnMapping } from './types.ts';

/** The last moment whose microseconds since 1970 fit 64 bits, the greatest of which is infinity. */
export const LAST_MOMENT: string = '294247-01-10 04:00:54.775806';

/** `utf8`: the server keeps text as UTF-8, or as bytes without an encoding. */
export function postgresDialect(utf8: boolean): RowDialect {
  const bytesOf = (x: string, type?: LogicalType): string =>
    utf8 || type?.kind === 'binary' ? x : `convert_to(${x}, 'UTF8')`;
  return {
    value,
    orEmpty: (text) => `coalesce(${text}::text, '')`,
    inline: (long, type) => (type.kind === 'binary' ? `encode(${long}, 'hex')` : long),
    bytes: (long, type) => `octet_length(${bytesOf(long, type)})`,
    withoutNul: (text) => text,
    md5: (text, type) => `md5(${bytesOf(text, type)})`,
    concat: (...parts) => `(${parts.join(' || ')})`,
    list: (parts) => `concat_ws(',', ${parts.join(', ')})`,
  };
}

function value(x: string, type: LogicalType): string {
  switch (type.kind) {
    case 'bool':
      return `${x}::int4`;
    // Joined as they are: a cast to text would print them twice.
    case 'int16':
    case 'int32':
    case 'int64':
      return x;
    case 'decimal':
      return `nullif(${x}::numeric(${type.precision},${type.scale}), 'NaN')`;
    case 'float32':
    case 'float64':
      return `CASE WHEN ${x} = 'NaN' THEN '7ff8000000000000' ELSE encode(float8send(${x}::float8), 'hex') END`;
    case 'uuid':
      return x;
    case 'utf8':
    case 'json':
      return `${x}::text`;
    case 'binary':
      return x;
    case 'date':
      return `CASE WHEN isfinite(${x}) THEN (${x} - date '1970-01-01')::text ELSE ${x}::text END`;
    case 'time':
      return `encode(time_send(${x}), 'hex')`;
    case 'timestamp':
      return timestamp(`${x}::${type.zone ? 'timestamptz' : 'timestamp'}`, type.zone);
  }
}

/** The wire form is whole microseconds since 2000, with the infinities at both ends: nothing is cheaper to print. */
function timestamp(x: string, zone: boolean): string {
  const [type, send, utc] = zone
    ? ['timestamptz', 'timestamptz_send', '+00']
    : ['timestamp', 'timestamp_send', ''];
  return `CASE WHEN ${x} <= ${type} '${LAST_MOMENT}${utc}' OR ${x} = 'infinity' THEN encode(${send}(${x}), 'hex') END`;
}

/** What a column is read as, so that a cast to text gives what the server would send; `base` is the name of its type. */
export function comparedSql({ select, format, type }: ColumnMapping, base: string): string {
  if (type.kind === 'binary')
    return base === 'bytea' ? select : `convert_to(${asText(select, base)}, 'UTF8')`;
  return format === 'text' || format === 'unchecked-text' ? asText(select, base) : select;
}

const CASTABLE: ReadonlySet<string> = new Set(['text', 'varchar', 'name', 'json', 'jsonb']);

/** A cast of character(n) takes its blanks away; its output function, which format() calls, does not. */
function asText(select: string, base: string): string {
  const isColumn = select.startsWith('"');
  if (!isColumn || CASTABLE.has(base)) return `(${select})::text`;
  return `CASE WHEN ${select} IS NOT NULL THEN pg_catalog.format('%s', ${select}) END`;
}
