/**
 * Values as the text that PostgreSQL prints, from the server itself and from what DuckDB reads of a lake. Cell by cell, so
 * that a difference can be named.
 */
import type pg from 'pg';

export type Cell = string | null;

/** What the lake should hold for a text of the server, where a rule changes it. */
export type RuleOf = Record<string, (server: string, id: string) => Cell>;

export interface LakeColumn {
  name: string;
  type: string;
  native: string | undefined;
  nullable: boolean;
}

export interface LakeTable {
  columns: Pick<LakeColumn, 'name' | 'type'>[];
  rows: Cell[][];
}

/** Expression that gives a value as text without loss. */
export function reading(type: string, name: string): string {
  switch (type) {
    case 'binary':
      return `lower(hex(${name}))`;
    case 'utf8':
    case 'json':
      // DuckDB's client takes a byte order mark off every string that it reads.
      return `hex(encode(${name}))`;
    case 'timestamptz':
      // Its text of the very last millisecond is wrong, the value is not.
      return `CASE WHEN isfinite(${name}) THEN make_timestamp(epoch_us(${name}))::VARCHAR || '+00' ELSE ${name}::VARCHAR END`;
    default:
      return `CAST(${name} AS VARCHAR)`;
  }
}

/** DuckDB's text of a value as PostgreSQL's output function would print it. */
export function spell(type: string, text: string): string {
  switch (type) {
    case 'utf8':
    case 'json':
      return Buffer.from(text, 'hex').toString('utf8');
    case 'bool':
      return text === 'true' ? 't' : 'f';
    case 'float32':
    case 'float64':
      return float(type, text);
    case 'binary':
      return `\\x${text}`;
    case 'date':
    case 'timestamp':
    case 'timestamptz':
      return text.includes('(BC)') ? `${text.replace(' (BC)', '')} BC` : text;
    default:
      // DuckDB leaves out the zero before the point when there are no digits for it.
      return type.startsWith('decimal') ? text.replace(/^(-?)\./, '$10.') : text;
  }
}

const SPECIAL: Readonly<Record<string, string>> = { nan: 'NaN', inf: 'Infinity', '-inf': '-Infinity' };

/** The number that a text stands for: DuckDB and PostgreSQL do not always choose the same digits for one float. */
function float(type: string, text: string): string {
  const number = Number(SPECIAL[text.toLowerCase()] ?? text);
  const value = type === 'float32' ? Math.fround(number) : number;
  return Object.is(value, -0) ? '-0' : String(value);
}

export interface ServerTable {
  names: string[];
  rows: Cell[][];
}

/** The text that the server prints for every value; the driver converts nothing. */
export async function serverRows(client: pg.Client, sql: string): Promise<ServerTable> {
  const result = await client.query<Cell[]>({
    text: sql,
    rowMode: 'array',
    types: { getTypeParser: () => (text: unknown) => text },
  });
  return { names: result.fields.map((field) => field.name), rows: result.rows };
}

/** Every difference between server and lake, as `column[id]: server → lake`; at most 20 are kept. */
export function differences(server: ServerTable, lake: LakeTable, rules: RuleOf = {}): string[] {
  const found: string[] = [];
  if (server.rows.length !== lake.rows.length)
    found.push(`${server.rows.length} rows on the server, ${lake.rows.length} in the lake`);
  if (server.names.length !== lake.columns.length)
    found.push(`${server.names.length} columns on the server, ${lake.columns.length} in the lake`);
  for (const [r, row] of server.rows.entries()) {
    for (const [c, text] of row.entries()) {
      const name = server.names[c]!;
      const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
      const ruled = text !== null && rule ? rule(text, row[0]!) : text;
      const type = lake.columns[c]?.type ?? '';
      const wanted = ruled !== null && type.startsWith('float') ? float(type, ruled) : ruled;
      const got = lake.rows[r]?.[c];
      if (wanted !== got && found.length < 20)
        found.push(`${name}[${row[0]}]: ${shown(wanted)} → ${shown(got)}`);
    }
  }
  return found;
}

function shown(value: Cell | undefined): string {
  const text = JSON.stringify(value) ?? 'undefined';
  return text.length > 120 ? `${text.slice(0, 120)}… (${text.length})` : text;
}

export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
