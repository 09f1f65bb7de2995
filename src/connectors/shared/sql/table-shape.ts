/** Makes the user's table fit the schema of a load. Columns are added and widened, never dropped or narrowed. */
import type { Schema } from '../../../core/schema.ts';
import { checkGrows } from '../check-grows.ts';
import { fitNames } from './names.ts';
import type { SqlDialect, SqlSession, TargetColumn } from './system.ts';
import type { TableRecord } from './table-record.ts';

export interface Place {
  dialect: SqlDialect;
  table: string;
  schema: Schema;
  columns: readonly TargetColumn[];
  history: boolean;
}

export function targetColumns(schema: Schema, dialect: SqlDialect): TargetColumn[] {
  const fields = schema.fields.map((field) => field.name);
  const names = fitNames(fields, { bytes: dialect.nameBytes, folds: dialect.foldsNames });
  return schema.fields.map((field, i) => ({
    field: field.name,
    name: names[i]!,
    type: dialect.type(field, schema.dialect),
    nullable: field.nullable,
  }));
}

/** Makes or changes the table, in the transaction of `session` where the system can. Throws SchemaError when it would shrink. */
export async function prepareTable(
  session: SqlSession,
  place: Place,
  record: TableRecord | undefined,
): Promise<void> {
  const { dialect, table, columns, schema } = place;
  if (record && record.version > 0) checkGrows(record.schema, schema, table);
  const quoted = dialect.table(table);
  const doing = `changing the columns of table "${table}"`;
  const found = await dialect.find(session, table);
  if (!found) {
    await session.query(dialect.createTable(quoted, columns, place), `making table "${table}"`);
    return;
  }
  const there = new Map(found.columns.map((column) => [column.name, column]));
  for (const column of columns) {
    const was = there.get(column.name);
    if (!was) await session.query(dialect.addColumn(quoted, column), doing);
    else {
      if (was.type !== column.type && dialect.widens(was.type, column.type))
        await session.query(dialect.changeType(quoted, column), doing);
      if (!was.nullable && column.nullable) await session.query(dialect.dropNotNull(quoted, column), doing);
    }
  }
}
