/** What a table would not hold, as a load would find or make it. */
import type { ColumnLimits, LimitsRequest, TableLimits } from '../../../core/diagnose.ts';
import type { SqlDialect, SqlSession } from './system.ts';
import { becomes, requiredIn, targetColumns } from './table-shape.ts';

export async function tableLimits(
  session: SqlSession,
  dialect: SqlDialect,
  { table, schema, before, history, replaces, together, merges }: LimitsRequest,
): Promise<TableLimits> {
  const keyed = !history && schema.key.length > 0;
  const found = await dialect.find(session, table);
  // Else a new table takes its place.
  const stays = found && (!replaces || (await dialect.holdsOn(session, table)) !== undefined);
  const there = new Map(stays ? found.columns.map((column) => [column.name, column]) : []);
  const growth = { dialect, required: requiredIn(before), straight: !together && !merges };
  const columns = targetColumns(schema, dialect, keyed).map((column, i): ColumnLimits => {
    const { name: field, type: logical } = schema.fields[i]!;
    const was = there.get(column.name);
    const is = was ? becomes(was, column, growth) : undefined;
    const type = is?.type ?? column.type;
    return {
      field,
      type,
      nullable: was ? was.nullable || is!.loosens : column.nullable,
      limits: dialect.limits(type, logical),
      ...(is?.keeps === false && { misfit: column.type }),
    };
  });
  return { columns, unique: keyed };
}
