/** Makes the user's table fit the schema of a load. Columns are added and widened, never dropped or narrowed. */
import type { History } from '../../../core/destination.ts';
import type { Schema } from '../../../core/schema.ts';
import { InternalError, SchemaError } from '../../../core/errors.ts';
import { checkGrows } from '../check-grows.ts';
import { insertSelect } from './insert-select.ts';
import { fitNames } from './names.ts';
import { OWN_COLUMNS, type SqlDialect, type SqlSession, type TargetColumn } from './system.ts';
import type { TableRecord } from './table-record.ts';

export interface Place {
  dialect: SqlDialect;
  table: string;
  schema: Schema;
  columns: readonly TargetColumn[];
  history: History | undefined;
  /** Which columns of ours it has. */
  stamp: History | undefined;
  /** Of the schema. */
  key: readonly TargetColumn[];
}

/** `indexed`: the key of the schema gets an index. */
export function targetColumns(schema: Schema, dialect: SqlDialect, indexed: boolean): TargetColumn[] {
  const fields = schema.fields.map((field) => field.name);
  const names = fitNames(fields, {
    bytes: dialect.nameBytes,
    folds: dialect.foldsNames,
    plain: dialect.plainNames,
  });
  return schema.fields.map((field, i) => ({
    field: field.name,
    name: names[i]!,
    type: dialect.type(field, { schema, indexed }),
    nullable: field.nullable,
  }));
}

export function columnOf({ table, columns }: Pick<Place, 'table' | 'columns'>, field: string): TargetColumn {
  const column = columns.find((each) => each.field === field);
  if (column) return column;
  throw new InternalError(`loading table "${table}": it has no column "${field}"`, {
    code: 'sql.no_column',
  });
}

/** As {@link prepareTable}; throws SchemaError when the table would shrink. */
export async function growTable(
  session: SqlSession,
  place: Place,
  { record, straight }: { record: TableRecord | undefined; straight: boolean },
): Promise<boolean> {
  if (record && record.version > 0) checkGrows(record.schema, place.schema, place.table);
  return prepareTable(session, place, record, straight);
}

/** Makes or changes the table, in the transaction of `session` where the system can; whether it had to be made. */
export async function prepareTable(
  session: SqlSession,
  place: Place,
  record: TableRecord | undefined,
  straight: boolean = false,
): Promise<boolean> {
  const { dialect, table, columns, stamp } = place;
  const quoted = dialect.table(table);
  const doing = `changing the columns of table "${table}"`;
  const found = await dialect.find(session, table);
  if (!found) {
    await session.query(dialect.createTable(quoted, columns, place), `making table "${table}"`);
    return true;
  }
  const required = requiredIn(record?.version ? record.schema : undefined);
  const there = new Map(found.columns.map((column) => [column.name, column]));
  for (const column of columns) {
    const was = there.get(column.name);
    if (!was) await session.query(dialect.addColumn(quoted, column), doing);
    else {
      const { type, widens, keeps, loosens } = becomes(was, column, { dialect, required, straight });
      if (!keeps) throw misfit(table, column, was.type);
      if (widens)
        await session.query(dialect.changeType(quoted, { ...column, type, nullable: was.nullable }), doing);
      // Some systems state both where one is changed.
      if (loosens) await session.query(dialect.dropNotNull(quoted, { ...column, type }), doing);
    }
  }
  // Whoever wants versions there is told.
  if (stamp === 'loads')
    for (const [i, name] of OWN_COLUMNS.loads.entries())
      if (!there.has(name)) for (const sql of addOwn(place, i)) await session.query(sql, doing);
  return false;
}

/** Rows that are there came by none of the loads that tell: a column that is added with its default would have it in all of them. */
function addOwn({ dialect, table }: Place, i: number): string[] {
  const quoted = dialect.table(table);
  const { sql, default: value } = dialect.ownColumns.loads[i]!;
  const add = `ALTER TABLE ${quoted} ADD COLUMN ${sql}`;
  const name = dialect.quote(OWN_COLUMNS.loads[i]!);
  return value === undefined
    ? [add]
    : [add, `ALTER TABLE ${quoted} ALTER COLUMN ${name} SET DEFAULT ${value}`];
}

/** Whether another table may take the place of the user's: nothing of theirs would be lost with it. */
export async function canSwap(
  session: SqlSession,
  { dialect, table, columns, stamp }: Place,
  before: TableRecord | undefined,
): Promise<boolean> {
  const found = await dialect.find(session, table);
  const were = before?.version ? targetColumns(before.schema, dialect, false) : [];
  const ours = new Set([...columns, ...were].map(({ name }) => name));
  if (stamp) for (const name of OWN_COLUMNS[stamp]) ours.add(name);
  if (found?.columns.some(({ name }) => !ours.has(name))) return false;
  return (await dialect.holdsOn(session, table)) === undefined;
}

export interface Growth {
  dialect: SqlDialect;
  /** See {@link requiredIn}. */
  required: ReadonlySet<string>;
  /** Rows are copied straight into the table. */
  straight: boolean;
}

/** What a load makes of a column that is there. */
export function becomes(
  was: Omit<TargetColumn, 'field'>,
  column: TargetColumn,
  { dialect, required, straight }: Growth,
): { type: string; widens: boolean; keeps: boolean; loosens: boolean } {
  const wanted = dialect.joins?.(was.type, column.type) ?? column.type;
  const widens = was.type !== wanted && dialect.widens(was.type, wanted);
  const type = widens ? wanted : was.type;
  // Only where it was required at the source until now: any other NOT NULL is the user's.
  const loosens = !was.nullable && column.nullable && required.has(column.field);
  const keeps =
    dialect.holds(type, column.type) && (!straight || dialect.copies?.(type, column.type) !== false);
  return { type, widens, loosens, keeps };
}

/** Columns that could hold no NULL when the table was last loaded. */
export function requiredIn(schema: Schema | undefined): ReadonlySet<string> {
  return new Set(schema?.fields.filter(({ nullable }) => !nullable).map(({ name }) => name));
}

function misfit(table: string, column: TargetColumn, found: string): SchemaError {
  return new SchemaError(
    `loading table "${table}": column "${column.name}" is ${found} there, which does not take every ${column.type} as it is`,
    {
      code: 'sql.misfit',
      remedy: `make it ${column.type}, or give the stream another \`table\``,
      details: { table, column: column.name },
    },
  );
}

/** All rows of one table into another one; `columns` are those that `from` has. */
export function insertAll(
  { dialect, stamp }: Place,
  into: string,
  from: string,
  columns: readonly TargetColumn[],
): string {
  const stamps = stamp ? dialect.stamps[stamp] : [];
  const same = columns.map(({ name }) => ({ column: dialect.quote(name), value: dialect.quote(name) }));
  return insertSelect(into, [...same, ...stamps], from);
}
