/** What CREATE TABLE says of a table. */
import type { ForeignKeyStructure, IndexStructure, ReferenceAction } from '../../core/structure.ts';
import { streamNameOf } from './dump-name.ts';
import { atCommas, type Token, TokenReader } from './tokens.ts';

export interface DumpColumn {
  name: string;
  /** As the dump has it. */
  type: string;
  nullable: boolean;
  /** The server computes it, so that no dump has values for it. */
  generated: boolean;
  /** The server counts it up. */
  identity: boolean;
  /** A check says that it holds JSON. */
  json: boolean;
  /** A literal. */
  default?: string | undefined;
  comment?: string | undefined;
}

export interface TableParts {
  columns: DumpColumn[];
  key: string[];
  indexes: IndexStructure[];
  foreignKeys: ForeignKeyStructure[];
  comment?: string | undefined;
}

export function emptyParts(): TableParts {
  return { columns: [], key: [], indexes: [], foreignKeys: [] };
}

/** Reads what stands between the brackets. */
export function readElements(inner: readonly Token[], sql: string, mysql: boolean): TableParts {
  const parts = emptyParts();
  for (const tokens of atCommas(inner)) {
    const reader = new TokenReader(tokens);
    if (isConstraint(reader, mysql)) readConstraint(reader, parts);
    else readColumn(reader, sql, parts);
  }
  return parts;
}

const CONSTRAINTS: ReadonlySet<string> = new Set([
  'CONSTRAINT',
  'PRIMARY',
  'UNIQUE',
  'FOREIGN',
  'CHECK',
  'EXCLUDE',
  'LIKE',
]);
/** Words that only MySQL does not take for names of columns. */
const MYSQL_CONSTRAINTS: ReadonlySet<string> = new Set(['KEY', 'INDEX', 'FULLTEXT', 'SPATIAL', 'PERIOD']);

function isConstraint(reader: TokenReader, mysql: boolean): boolean {
  const token = reader.peek();
  if (token?.kind !== 'word') return false;
  return CONSTRAINTS.has(token.text) || (mysql && MYSQL_CONSTRAINTS.has(token.text));
}

/** A constraint or an index, as part of CREATE TABLE or behind ADD. False when it says nothing that is kept. */
export function readConstraint(reader: TokenReader, parts: TableParts): boolean {
  let name = reader.take('CONSTRAINT') && !isKind(reader.peek()) ? reader.name() : undefined;
  if (reader.take('PRIMARY', 'KEY')) {
    using(reader);
    const key = reader.names();
    if (!key) return false;
    parts.key = key;
    for (const column of parts.columns) if (key.includes(column.name)) column.nullable = false;
    return true;
  }
  if (reader.take('FOREIGN', 'KEY')) return readForeignKey(reader, name, parts);
  const unique = reader.take('UNIQUE');
  const plain = reader.take('KEY') || reader.take('INDEX');
  if (!unique && !plain) return false;
  reader.take('NULLS', 'NOT', 'DISTINCT');
  if (reader.peek()?.text !== '(' && reader.peek()?.text !== 'USING') name = reader.name() ?? name;
  using(reader);
  const fields = reader.names();
  if (fields && name !== undefined) parts.indexes.push({ name, unique, fields });
  return true;
}

function isKind(token: Token | undefined): boolean {
  return token?.kind === 'word' && CONSTRAINTS.has(token.text);
}

function using(reader: TokenReader): void {
  if (reader.take('USING')) reader.next();
}

function readForeignKey(reader: TokenReader, name: string | undefined, parts: TableParts): boolean {
  if (reader.peek()?.text !== '(') reader.name();
  const fields = reader.names();
  if (!fields || !reader.take('REFERENCES')) return false;
  const table = reader.qualified();
  const referred = reader.names();
  if (!table || !referred || name === undefined) return true;
  const key: ForeignKeyStructure = {
    name,
    fields,
    references: { table: streamNameOf(table), fields: referred },
    onDelete: 'no action',
    onUpdate: 'no action',
  };
  while (!reader.done) {
    if (reader.take('MATCH', 'FULL')) key.full = true;
    else if (reader.take('ON', 'DELETE')) key.onDelete = readAction(reader);
    else if (reader.take('ON', 'UPDATE')) key.onUpdate = readAction(reader);
    else if (reader.take('DEFERRABLE'))
      key.deferrable = reader.take('INITIALLY', 'DEFERRED') ? 'deferred' : 'immediate';
    else reader.next();
  }
  parts.foreignKeys.push(key);
  return true;
}

function readAction(reader: TokenReader): ReferenceAction {
  if (reader.take('CASCADE')) return 'cascade';
  if (reader.take('RESTRICT')) return 'restrict';
  if (reader.take('SET', 'NULL')) return 'set null';
  if (reader.take('SET', 'DEFAULT')) return 'set default';
  return 'no action';
}

/** What can follow the type of a column. */
const ATTRIBUTES: ReadonlySet<string> = new Set(
  `NOT NULL DEFAULT PRIMARY UNIQUE KEY CHECK REFERENCES COLLATE CONSTRAINT GENERATED AS AUTO_INCREMENT COMMENT ON CHARSET INVISIBLE
   VISIBLE STORAGE COMPRESSION COMPRESSED VIRTUAL STORED PERSISTENT SRID REF_SYSTEM_ID OPTIONS`.split(/\s+/),
);

function readColumn(reader: TokenReader, sql: string, parts: TableParts): void {
  const name = reader.name();
  const first = reader.peek();
  if (name === undefined || !first) return;
  let to = first.to;
  while (!reader.done) {
    const token = reader.peek()!;
    const text = token.kind === 'word' ? token.text : '';
    if (token !== first && (ATTRIBUTES.has(text) || (text === 'CHARACTER' && reader.peek(1)?.text === 'SET')))
      break;
    to = token.to;
    reader.next();
  }
  const column: DumpColumn = {
    name,
    type: sql.slice(first.from, to),
    nullable: true,
    generated: false,
    identity: /^(small|big)?serial[248]?$/i.test(first.text),
    json: false,
  };
  parts.columns.push(column);
  readAttributes(reader, column, parts);
  // A serial is never NULL.
  if (column.identity) column.nullable = false;
}

function readAttributes(reader: TokenReader, column: DumpColumn, parts: TableParts): void {
  while (!reader.done) {
    if (reader.take('NOT', 'NULL')) column.nullable = false;
    else if (reader.take('PRIMARY', 'KEY')) {
      parts.key = [column.name];
      column.nullable = false;
    } else if (reader.take('DEFAULT')) column.default = readDefault(reader);
    else if (reader.take('COMMENT')) column.comment = reader.next()?.text;
    else if (reader.take('AUTO_INCREMENT')) column.identity = true;
    else if (reader.take('AS', 'IDENTITY')) column.identity = true;
    else if (reader.take('AS')) column.generated = reader.group() !== undefined;
    else if (reader.take('CHECK'))
      column.json = reader.group()?.[0]?.text.toUpperCase() === 'JSON_VALID' || column.json;
    else if (!reader.group()) reader.next();
  }
}

/** A literal, or a function that every system has. */
export function readDefault(reader: TokenReader): string | undefined {
  const token = reader.peek();
  if (!token) return undefined;
  const negative = token.text === '-' && reader.peek(1)?.kind === 'number';
  if (negative) reader.next();
  const value = reader.peek()!;
  if (value.kind === 'word' && reader.peek(1)?.text === '(') return undefined;
  reader.next();
  if (value.kind === 'number') return `${negative ? '-' : ''}${value.text}`;
  if (value.kind === 'text') return `'${value.text.replaceAll("'", "''")}'`;
  return /^(TRUE|FALSE)$/.test(value.text) ? value.text.toLowerCase() : undefined;
}
