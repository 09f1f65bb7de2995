/** What a table of a dump has, and whether it was loaded before. */
import { ConfigError } from '../../core/errors.ts';
import type { FilePart } from '../../core/ledger.ts';
import { type Field, type Schema, type SchemaJson, schemaFromJson, schemaToJson } from '../../core/schema.ts';
import type { Survey, SurveyNote } from '../../core/source.ts';
import {
  type Checkpoint,
  renamed,
  type RunWindow,
  type SliceRange,
  type StreamConfig,
} from '../../core/stream.ts';
import type { ColumnStructure, TableStructure } from '../../core/structure.ts';
import { type LogicalType, parseType, type TypeKind } from '../../core/types.ts';
import { formatCount } from '../../core/units.ts';
import { checkColumn, chosenColumns, refuseMistakes } from '../shared/stream-columns.ts';
import type { FieldForm } from '../shared/text/records.ts';
import { type ColumnType, columnType, isUtc } from './column-types.ts';
import type { DumpColumn } from './create-table.ts';
import type { ReadDump } from './dump-file.ts';
import type { DumpIndex, DumpRange, DumpTable } from './dump-index.ts';

export interface DumpSurvey extends Survey {
  contract: SchemaJson;
  /** Columns of the dump, by field of the schema. */
  read: readonly string[];
  /** Absent where only records are read again, for which no dump is needed. */
  found?: FoundTable | undefined;
}

interface FoundTable {
  dump: ReadDump;
  table: DumpTable;
  forms: ColumnForms;
  /** By where they begin. */
  ranges: ReadonlyMap<number, DumpRange>;
}

/** How values of columns are written that are not written in the usual way, when they are read as this kind of type. */
export type ColumnForms = Readonly<Record<string, { kind: TypeKind; form: FieldForm }>>;

/** A column of a dump before the stream says what it wants of it. */
interface FoundColumn {
  name: string;
  type: LogicalType;
  nullable: boolean;
  /** Undefined: it has one in no system. */
  native: string | undefined;
}

/** Of one table. */
interface FoundColumns {
  columns: FoundColumn[];
  key: readonly string[];
  dialect: string | undefined;
}

export interface SurveyRequest {
  stream: StreamConfig;
  checkpoint: Checkpoint | undefined;
  window: RunWindow;
  sliceBytes: number;
  /** What concerns the whole dump is said with one of its tables. */
  first: boolean;
}

/** A slice has a few ranges more rather than a file for each. */
const MOST_RANGES = 1000;

export function surveyTable(
  dump: ReadDump,
  { stream, checkpoint, window, sliceBytes, first }: SurveyRequest,
): DumpSurvey {
  refuseOptions(stream, window);
  const { index, object, crc32 } = dump;
  const table = index.tables.find(({ name }) => name === stream.name);
  if (!table)
    throw new ConfigError(`reading ${stream.name}: the dump has no such table`, {
      code: 'dump.no_table',
      remedy: '`sluice discover` lists those that it has',
    });
  const all = columnsOf(table);
  const columns = all.map((column) => ({ ...column, ...columnType(column, index) }));
  const dialect = index.syntax === 'mysql' ? undefined : 'postgres';
  const { schema, read } = schemaOf(stream, { columns, key: table.key, dialect });
  const contract = schemaToJson(schema);
  const mark = checkpoint?.ledger?.files[object.key];
  const same = mark?.size === object.size && mark.crc32 === crc32;
  const ranges = new Map(table.ranges.map((range) => [range.from, range]));
  return {
    found: { dump, table, forms: formsOf(columns), ranges },
    contract,
    read,
    schema,
    repeatable: true,
    estimatedRows: table.rows,
    estimatedBytes: table.bytes,
    layout: '',
    parts: partsOf(dump, table, sliceBytes),
    unchanged: same && JSON.stringify(checkpoint!.ledger!.contract) === JSON.stringify(contract),
    structure: checkpoint ? undefined : structureOf(stream, table, all),
    window: `${formatCount(table.rows)} rows of the dump`,
    putsAside: true,
    notes: notesOf(index, table, first),
    sql: `${object.key}, ${index.writer ?? index.syntax}, ${table.ranges.length === 0 ? 'no rows' : `from line ${table.ranges[0]!.line}`}`,
  };
}

/** Records that were put aside are read as the table was when it was loaded, with the options of now. */
export function keptSurvey(stream: StreamConfig, checkpoint: Checkpoint | undefined): DumpSurvey {
  refuseOptions(stream, {});
  const { fields, key, dialect } = schemaFromJson(checkpoint?.ledger?.contract ?? { fields: [], key: [] });
  const sources = new Map(fields.map(({ name, source = name }) => [name, source]));
  const columns = fields.map(({ name, type, nullable, native }): FoundColumn => {
    return { name: sources.get(name)!, type, nullable, native };
  });
  const { schema, read } = schemaOf(stream, { columns, key: key.map((name) => sources.get(name)!), dialect });
  return {
    contract: schemaToJson(schema),
    read,
    schema,
    repeatable: true,
    lacking: 'as before',
    putsAside: true,
    estimatedRows: undefined,
    estimatedBytes: undefined,
    layout: '',
    parts: [],
    sql: 'quarantine',
  };
}

function refuseOptions(stream: StreamConfig, { from, to }: RunWindow): void {
  const { sql, cursor, date, where, lookback, files } = stream;
  const given = Object.entries({
    sql,
    cursor: cursor[0],
    date,
    where,
    lookback,
    files,
    '--from': from,
    '--to': to,
  });
  const mistakes = given
    .filter(([, value]) => value !== undefined)
    .map(([option]) => `\`${option}\` means nothing for a dump`);
  if (mistakes.length === 0) return;
  throw new ConfigError(`looking at ${stream.name}: ${mistakes.join('; ')}`, {
    code: 'stream.invalid',
    remedy: 'a table of a dump is loaded as a whole',
  });
}

/** Columns that the dump has values of; without CREATE TABLE those that its rows name. */
function columnsOf(table: DumpTable): DumpColumn[] {
  if (table.line !== undefined) return table.columns.filter(({ generated }) => !generated);
  const names = [...new Set(table.ranges.flatMap(({ columns }) => columns ?? []))];
  return names.map((name) => ({
    name,
    type: 'text',
    nullable: true,
    generated: false,
    identity: false,
    json: false,
  }));
}

/** Schema of a table that is read as it is. */
export function wholeSchema(table: DumpTable, index: DumpIndex): Schema {
  return {
    fields: columnsOf(table).map((column) => ({
      name: column.name,
      type: columnType(column, index).type,
      nullable: column.nullable,
      native: column.type,
    })),
    key: table.key,
  };
}

function formsOf(columns: readonly ({ name: string } & ColumnType)[]): ColumnForms {
  return Object.fromEntries(
    columns.flatMap(({ name, type, form }) =>
      form === undefined ? [] : [[name, { kind: type.kind, form }] as const],
    ),
  );
}

function schemaOf(
  stream: StreamConfig,
  { columns: all, key: found, dialect }: FoundColumns,
): { schema: Schema; read: string[] } {
  const mistakes: string[] = [];
  const columns = chosenColumns(stream, all, mistakes);
  for (const name of stream.key ?? []) checkColumn(name, 'key', all, mistakes);
  const names = columns.map(({ name }) => renamed(stream, name));
  const key = stream.key ?? found;
  const whole = key.every((name) => columns.some((column) => column.name === name));
  const fields = columns.map(({ name, type, nullable, native }, i): Field => {
    const pinned = Object.hasOwn(stream.types, name) ? stream.types[name]! : undefined;
    const wanted = pinned === undefined ? type : parseType(pinned === 'text' ? 'utf8' : pinned);
    if (!wanted) mistakes.push(`types.${name}: "${pinned}" is not a type`);
    return {
      name: names[i]!,
      type: wanted ?? type,
      nullable: nullable && !(whole && key.includes(name)),
      ...(native !== undefined && pinned === undefined && { native }),
      ...(names[i] !== name && { source: name }),
    };
  });
  refuseMistakes(stream, names, mistakes);
  return {
    schema: {
      fields,
      key: whole ? key.map((name) => renamed(stream, name)) : [],
      ...(dialect !== undefined && { dialect }),
    },
    read: columns.map(({ name }) => name),
  };
}

function partsOf({ object, crc32 }: ReadDump, { ranges }: DumpTable, sliceBytes: number): SliceRange[] {
  const { key: path, size, modifiedAt, etag } = object;
  const slices: SliceRange[] = [];
  let files: FilePart[] = [];
  let bytes = 0;
  for (const { from, to, line } of ranges) {
    if (files.length > 0 && (bytes + to - from > sliceBytes || files.length >= MOST_RANGES)) {
      slices.push({ kind: 'files', files });
      files = [];
      bytes = 0;
    }
    files.push({ path, size, modifiedAt, etag, crc32, range: { from, to, line } });
    bytes += to - from;
  }
  // A table without rows is loaded as well.
  slices.push({ kind: 'files', files });
  return slices;
}

function structureOf(stream: StreamConfig, table: DumpTable, columns: readonly DumpColumn[]): TableStructure {
  const { include, exclude } = stream.columns ?? {};
  const fieldOf = (name: string): string | undefined =>
    columns.some((column) => column.name === name) &&
    (include?.includes(name) ?? true) &&
    !exclude?.includes(name)
      ? renamed(stream, name)
      : undefined;
  const fieldsOf = (names: readonly string[]): string[] | undefined => {
    const fields = names.map(fieldOf);
    return fields.every((field) => field !== undefined) ? fields : undefined;
  };
  return {
    comment: table.comment === '' ? undefined : table.comment,
    columns: columns.flatMap((column): ColumnStructure[] => {
      const field = fieldOf(column.name);
      if (field === undefined) return [];
      return [
        { field, comment: column.comment, default: column.default, identity: column.identity || undefined },
      ];
    }),
    indexes: table.indexes.flatMap((each) => {
      const fields = fieldsOf(each.fields ?? []);
      return fields ? [{ ...each, fields }] : [];
    }),
    foreignKeys: table.foreignKeys.flatMap((each) => {
      const fields = fieldsOf(each.fields);
      return fields ? [{ ...each, fields }] : [];
    }),
  };
}

function notesOf(index: DumpIndex, table: DumpTable, first: boolean): SurveyNote[] {
  const notes: SurveyNote[] = [];
  const { count, line, words } = index.unknown;
  if (count > 0 && first)
    notes.push({
      code: 'dump.unknown',
      message: `${formatCount(count)} ${count === 1 ? 'statement was' : 'statements were'} not understood, the first on line ${line}: ${words} …`,
      remedy: 'rows that they would add, change or remove are not those of the dump',
    });
  const generated = table.columns.filter((column) => column.generated).map(({ name }) => name);
  if (generated.length > 0)
    notes.push({
      code: 'dump.generated',
      message: `${generated.join(', ')}: the server computes them, so the dump has no values and they are left out`,
    });
  if (table.line === undefined)
    notes.push({
      code: 'dump.no_definition',
      message: 'the dump has no CREATE TABLE for it: all columns are text',
      remedy: 'give types with `types`',
    });
  if (
    index.syntax === 'mysql' &&
    !isUtc(index.zone) &&
    table.columns.some(({ type }) => /^timestamp/i.test(type))
  )
    notes.push({
      code: 'dump.zone',
      message: 'the dump does not say that its timestamps are in UTC: they are loaded without a zone',
      remedy: 'make the dump without --skip-tz-utc',
    });
  return notes;
}
