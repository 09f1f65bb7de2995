/** What the statements of a dump say of its tables. */
import { SQL_SYNTAX, type SyntaxName } from '../shared/text/sql-syntax.ts';
import { emptyParts, readConstraint, readDefault, readElements, type TableParts } from './create-table.ts';
import { streamNameOf } from './dump-name.ts';
import { atCommas, type Token, TokenReader, tokensOf } from './tokens.ts';

export interface CatalogTable extends TableParts {
  /** That of its stream. */
  name: string;
  /** Undefined: there is no CREATE TABLE for it. */
  line: number | undefined;
}

/** Statements that say nothing of tables and change no row. */
const IDLE =
  /^(?:SET|LOCK|UNLOCK|BEGIN|START|COMMIT|ANALYZE|GRANT|REVOKE|FLUSH|DROP|CREATE (?:DATABASE|SCHEMA|SEQUENCE|ROLE|TYPE|EXTENSION)|ALTER (?:DATABASE|SCHEMA|SEQUENCE|ROLE|DEFAULT|TYPE|EXTENSION|INDEX)|COMMENT ON|SELECT PG_CATALOG|SELECT SETVAL|ALTER TABLE)\b/;

/** Parts of ALTER TABLE after which a table has the columns that it had. */
const KEEPS_ROWS =
  /^(?:ADD (?:CONSTRAINT|PRIMARY|UNIQUE|KEY|INDEX|FOREIGN|CHECK|FULLTEXT|SPATIAL|EXCLUDE|GENERATED)|ALTER|MODIFY|ATTACH|CLUSTER|DISABLE|ENABLE|FORCE|INHERIT|NO|OWNER|REPLICA|SET|RESET|VALIDATE|AUTO_INCREMENT|ENGINE|CONVERT|COMMENT)\b|^[A-Z_]* =/;

export class DumpCatalog {
  readonly tables: Map<string, CatalogTable> = new Map();
  /** Base types of domains, by name without schema. */
  readonly domains: Record<string, string> = {};
  /** Character set of the texts, as the dump names it. */
  encoding: string | undefined;
  /** Zone of instants that are written without one. */
  zone: string | undefined;
  readonly #syntax: SyntaxName;
  /** Schema or database of names without one. */
  #schema: string | undefined;

  readonly #onChange: (change: { dropped?: string }) => void;

  /** `onChange`: a table is dropped, or names without a schema mean other tables than before. */
  constructor(syntax: SyntaxName, onChange: (change: { dropped?: string }) => void) {
    this.#syntax = syntax;
    this.#onChange = onChange;
  }

  get #mysql(): boolean {
    return this.#syntax === 'mysql';
  }

  /** The table that a statement names. */
  table(parts: readonly string[]): CatalogTable {
    const name = this.#nameOf(parts);
    let table = this.tables.get(name);
    if (!table) {
      table = { ...emptyParts(), name, line: undefined };
      this.tables.set(name, table);
    }
    return table;
  }

  #nameOf(parts: readonly string[]): string {
    return streamNameOf(parts.length === 1 && this.#schema !== undefined ? [this.#schema, parts[0]!] : parts);
  }

  /** Takes one statement in; false when it is not understood. */
  add(sql: string, line: number): boolean {
    const tokens = tokensOf(sql.replace(/;\s*$/, ''), SQL_SYNTAX[this.#syntax]);
    if (tokens.length === 0) return true;
    const reader = new TokenReader(tokens);
    if (reader.take('CREATE')) {
      if (this.#create(reader, sql, line)) return true;
    } else if (reader.take('ALTER', 'TABLE')) return this.#alter(reader, sql);
    else if (reader.take('COMMENT', 'ON')) this.#comment(reader);
    else if (reader.take('SET')) this.#set(tokens);
    else if (reader.take('DROP', 'TABLE')) this.#drop(reader);
    const words = tokens
      .filter(({ kind }) => kind === 'word' || kind === 'name')
      .slice(0, 3)
      .map(({ text }) => text)
      .join(' ');
    return IDLE.test(words);
  }

  #create(reader: TokenReader, sql: string, line: number): boolean {
    if (reader.take('DOMAIN')) {
      const name = reader.qualified();
      reader.take('AS');
      const first = reader.peek();
      if (!name || !first) return false;
      const rest = sql.slice(first.from);
      this.domains[name.at(-1)!] = rest
        .split(/\s+(?:NOT|NULL|DEFAULT|CONSTRAINT|CHECK|COLLATE)\b|;/i)[0]!
        .trim();
      return true;
    }
    const unique = reader.take('UNIQUE');
    if (reader.take('INDEX')) return this.#index(reader, unique);
    for (const word of ['GLOBAL', 'LOCAL', 'TEMPORARY', 'TEMP', 'UNLOGGED', 'FOREIGN']) reader.take(word);
    if (!reader.take('TABLE')) return false;
    reader.take('IF', 'NOT', 'EXISTS');
    const parts = reader.qualified();
    const inner = reader.group();
    if (!parts || !inner) return false;
    const table = this.table(parts);
    const found = readElements(inner, sql, this.#mysql);
    Object.assign(table, found, { line, comment: commentOf(reader) ?? table.comment });
    for (const key of table.foreignKeys) key.references.table = this.#reference(key.references.table);
    return true;
  }

  #index(reader: TokenReader, unique: boolean): boolean {
    reader.take('CONCURRENTLY');
    reader.take('IF', 'NOT', 'EXISTS');
    const name = reader.name();
    if (name === undefined || !reader.take('ON')) return true;
    reader.take('ONLY');
    const parts = reader.qualified();
    const btree = reader.take('USING') ? reader.name() === 'btree' : true;
    const fields = reader.names();
    // An index of some rows or of expressions says something else.
    if (parts && btree && fields && !reader.take('WHERE') && !reader.take('INCLUDE'))
      this.table(parts).indexes.push({ name, unique, fields });
    return true;
  }

  /** False when it changes what rows mean. */
  #alter(reader: TokenReader, sql: string): boolean {
    reader.take('IF', 'EXISTS');
    reader.take('ONLY');
    const parts = reader.qualified();
    const table = parts && this.tables.get(this.#nameOf(parts));
    if (!table) return true;
    const rest: Token[] = [];
    while (!reader.done) rest.push(reader.next()!);
    const keys = table.foreignKeys.length;
    let understood = true;
    for (const action of atCommas(rest)) {
      const each = new TokenReader(action);
      if (!KEEPS_ROWS.test(action.map(({ text }) => text).join(' '))) understood = false;
      if (each.take('ADD')) readConstraint(each, table);
      else if (each.take('ALTER')) alterColumn(each, table);
      else if (each.take('MODIFY')) {
        each.take('COLUMN');
        this.#modify(action.slice(each.at), sql, table);
      }
    }
    for (const key of table.foreignKeys.slice(keys))
      key.references.table = this.#reference(key.references.table);
    return understood;
  }

  #modify(action: Token[], sql: string, table: CatalogTable): void {
    const [column] = readElements(action, sql, this.#mysql).columns;
    const at = table.columns.findIndex(({ name }) => name === column?.name);
    if (column && at >= 0)
      table.columns[at] = { ...column, nullable: column.nullable && !table.key.includes(column.name) };
  }

  /** Foreign keys name tables as other statements do. */
  #reference(table: string): string {
    return table.includes('.') || this.#schema === undefined ? table : streamNameOf([this.#schema, table]);
  }

  #comment(reader: TokenReader): void {
    const column = reader.take('COLUMN');
    if (!column && !reader.take('TABLE')) return;
    const parts = reader.qualified();
    if (!parts || !reader.take('IS')) return;
    const text = reader.peek()?.kind === 'text' ? reader.next()!.text : undefined;
    const table = this.table(column ? parts.slice(0, -1) : parts);
    if (!column) table.comment = text;
    else for (const each of table.columns) if (each.name === parts.at(-1)) each.comment = text;
  }

  #drop(reader: TokenReader): void {
    reader.take('IF', 'EXISTS');
    do {
      const parts = reader.qualified();
      const dropped = parts && this.#nameOf(parts);
      if (dropped === undefined || !this.tables.delete(dropped)) continue;
      this.#onChange({ dropped });
    } while (reader.take(','));
  }

  #set(tokens: readonly Token[]): void {
    const reader = new TokenReader(tokens);
    reader.next();
    if (reader.take('NAMES')) this.encoding = reader.next()?.written.replaceAll("'", '');
    const name = reader.name();
    if (!reader.take('=') && !reader.take('TO')) return;
    const value = reader.next();
    if (value === undefined || value.text === '@') return;
    const text = value.kind === 'text' ? value.text : value.written;
    if (name === 'client_encoding') this.encoding = text;
    if (name?.toUpperCase() === 'TIME_ZONE' && this.#mysql && !text.startsWith('@')) this.zone = text;
    if (name === 'search_path') this.use(text === '' ? undefined : text);
  }

  /** USE database. */
  use(database: string | undefined): void {
    this.#schema = database;
    this.#onChange({});
  }
}

/** COMMENT='…' behind the brackets of MySQL's CREATE TABLE. */
function commentOf(reader: TokenReader): string | undefined {
  while (!reader.done) {
    if (!reader.take('COMMENT')) {
      reader.next();
      continue;
    }
    reader.take('=');
    return reader.peek()?.kind === 'text' ? reader.peek()!.text : undefined;
  }
  return undefined;
}

/** ALTER COLUMN … SET DEFAULT, SET NOT NULL, ADD GENERATED … AS IDENTITY. */
function alterColumn(reader: TokenReader, table: TableParts): void {
  reader.take('COLUMN');
  const name = reader.name();
  const column = table.columns.find((each) => each.name === name);
  if (!column) return;
  if (reader.take('ADD', 'GENERATED')) column.identity = true;
  else if (reader.take('SET', 'NOT', 'NULL')) column.nullable = false;
  else if (reader.take('SET', 'DEFAULT')) {
    if (reader.peek()?.text === 'NEXTVAL') column.identity = true;
    else column.default = readDefault(reader);
  }
}
