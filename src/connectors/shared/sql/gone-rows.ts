/** Rows of the table whose keys are gone from the source: their hashes are in a stage, and the table's are made to find them. */
import { DELETED_AT, type GoneRows, KEY_HASH, type Supersede } from '../../../core/destination.ts';
import type { ComparedColumn } from '../../../core/compare.ts';
import type { Schema } from '../../../core/schema.ts';
import { hashSql } from '../compare-relation.ts';
import type { Operand } from '../row-hash.ts';
import type { Stage } from './stage-rows.ts';
import { type SqlSession, type TargetColumn, VALID_TO } from './system.ts';
import { columnOf, type Place } from './table-shape.ts';

const FIELD: Schema['fields'][number] = {
  name: KEY_HASH,
  type: { kind: 'utf8' },
  nullable: false,
  length: 32,
};

/** The column of a stage for a field of what is loaded: one of the table's, or hashes. */
export function stageColumn(place: Place, field: string): TargetColumn {
  if (field !== KEY_HASH) return columnOf(place, field);
  const schema = { fields: [FIELD], key: [KEY_HASH] };
  const type = place.dialect.type(FIELD, { schema, indexed: true });
  return { field, name: field, type, nullable: false };
}

/** What an index of a stage is for; `moved`: its rows may take the place of others although they are those of a window. */
export function stageKey(
  place: Place,
  how: Supersede,
  { columns, moved }: { columns: readonly TargetColumn[]; moved: boolean },
): readonly TargetColumn[] {
  if (how.kind === 'gone') return columns;
  const names = 'key' in how ? how.key : moved || how.kind === 'groups' ? place.schema.key : [];
  return names.map((field) => columnOf(place, field));
}

/** How many rows were there. */
export async function removeGone(
  session: SqlSession,
  place: Place,
  stage: Stage,
  { how, at }: { how: GoneRows; at: string },
): Promise<number> {
  const { dialect, table } = place;
  const { comparison } = dialect;
  const operand = (compared: ComparedColumn): Operand => {
    const column = columnOf(place, compared.name);
    return { sql: comparison.value(column, compared.type), nullable: column.nullable };
  };
  const sql = dialect.gone({
    table: dialect.table(table),
    hash: hashSql(how.columns, operand, await comparison.dialect(session)),
    stage: stage.table,
    key: dialect.quote(KEY_HASH),
    mark: markOf(place, how, at),
  });
  const doing = `taking rows out of table "${table}" that are gone from the source`;
  return (await session.query(sql, doing)).count;
}

function markOf(
  place: Place,
  { how }: GoneRows,
  at: string,
): { column: TargetColumn; at: string } | undefined {
  if (how === 'remove') return undefined;
  const column = how === 'flag' ? columnOf(place, DELETED_AT) : endColumn(place);
  return { column, at };
}

function endColumn({ dialect }: Place): TargetColumn {
  const field = { name: VALID_TO, type: { kind: 'timestamp', zone: true }, nullable: true } as const;
  const type = dialect.type(field, { schema: { fields: [field], key: [] }, indexed: false });
  return { field: VALID_TO, name: VALID_TO, type, nullable: true };
}
