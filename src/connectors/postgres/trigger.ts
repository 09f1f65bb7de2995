/** DDL that makes a column say when each row was last written, for tables that have nothing to tell changed rows by. */
import { createHash } from 'node:crypto';
import { ConfigError } from '../../core/errors.ts';
import { quoteName } from '../shared/quote.ts';

export interface UpdatedAtTrigger {
  /** `public.orders`, parts quoted as in SQL where needed; without a schema it is in `public`. */
  table: string;
  column: string;
  /** Also an index on the column, so that reading what is new does not read the table. */
  index: boolean;
}

/** PostgreSQL cuts longer names off, and two that were cut alike would be taken for one. */
const MAX_NAME_BYTES = 63;

/** The statements as a script for psql; running it twice does no harm. For PostgreSQL 11 and newer. */
export function renderUpdatedAtTrigger({ table, column, index }: UpdatedAtTrigger): string {
  const { schema, name } = parseTableName(table);
  const target = `${quoteName(schema)}.${quoteName(name)}`;
  const field = quoteName(column);
  const trigger = quoteName(shorten(`sluice_touch_${column}`));
  const touch = `${quoteName(schema)}.${trigger}`;
  const body = dollarTag(field);
  const lines = [
    `-- ${oneLine(target)}: ${oneLine(field)} becomes the time at which a row was last written.`,
    'BEGIN;',
    '',
    '-- Rows that are there already get the time of this statement; the table is not rewritten.',
    `ALTER TABLE ${target} ADD COLUMN IF NOT EXISTS ${field} timestamptz NOT NULL DEFAULT now();`,
    '',
    '-- clock_timestamp(), not now(): of two transactions that write the same row, the later one then has the later time.',
    `CREATE OR REPLACE FUNCTION ${touch}() RETURNS trigger LANGUAGE plpgsql AS ${body}`,
    'BEGIN',
    `  NEW.${field} := clock_timestamp();`,
    '  RETURN NEW;',
    'END',
    `${body};`,
    '',
    `DROP TRIGGER IF EXISTS ${trigger} ON ${target};`,
    `CREATE TRIGGER ${trigger} BEFORE INSERT OR UPDATE ON ${target}`,
    `  FOR EACH ROW EXECUTE FUNCTION ${touch}();`,
    '',
    'COMMIT;',
  ];
  if (index) {
    const indexName = quoteName(shorten(`${name}_${column}_idx`));
    lines.push(
      '',
      '-- Built without locking out writers, hence outside of the transaction; leave out CONCURRENTLY for a partitioned table.',
      `CREATE INDEX CONCURRENTLY IF NOT EXISTS ${indexName} ON ${target} (${field});`,
    );
  }
  return `${lines.join('\n')}\n`;
}

/** `Public."My Orders"` → schema `public`, table `My Orders`: unquoted parts are folded to lower case, as in SQL. */
function parseTableName(written: string): { schema: string; name: string } {
  const part = String.raw`"(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*`;
  const found = new RegExp(`^(?:(${part})\\.)?(${part})$`, 'u').exec(written.trim());
  if (!found) {
    throw new ConfigError(`"${written}" is no name of a table`, {
      code: 'postgres.table_name',
      remedy: `write schema.table, with quotes around a part that needs them: public."My Orders"`,
    });
  }
  const [, schema = 'public', name = ''] = found;
  return { schema: unquote(schema), name: unquote(name) };
}

function unquote(part: string): string {
  return part.startsWith('"') ? part.slice(1, -1).replaceAll('""', '"') : part.toLowerCase();
}

function shorten(name: string): string {
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return name;
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
  let kept = name;
  while (Buffer.byteLength(`${kept}_${hash}`) > MAX_NAME_BYTES) kept = kept.replace(/.$/su, '');
  return `${kept}_${hash}`;
}

/** Quotes for the body that the body itself cannot end. */
function dollarTag(body: string): string {
  let tag = '$touch$';
  while (body.includes(tag)) tag = `$touch_${tag.length}$`;
  return tag;
}

/** A name with a line end must not end the comment it stands in. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, ' ');
}
