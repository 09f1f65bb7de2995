/** Foreign keys of a table that is read. */
import type { ForeignKeyStructure, ReferenceAction } from '../../core/structure.ts';
import { streamName } from '../shared/stream-name.ts';
import type { Ask } from './structure.ts';

/** Those of partitions belong to their parents; what other systems and versions do not know is left out as a whole. */
const FOREIGN_KEYS = `
SELECT k.conname AS name, rn.nspname AS schema, r.relname AS table, k.confdeltype AS on_delete, k.confupdtype AS on_update,
       k.condeferrable AS deferrable, k.condeferred AS deferred, k.confmatchtype = 'f' AS full,
       (SELECT pg_catalog.json_agg(a.attname ORDER BY c.position)::text FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS c(attnum, position)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = c.attnum) AS columns,
       (SELECT pg_catalog.json_agg(a.attname ORDER BY c.position)::text FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY AS c(attnum, position)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = c.attnum) AS referred
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class r ON r.oid = k.confrelid JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace
 WHERE k.contype = 'f' AND k.conrelid = $1::oid AND k.conparentid = 0
   AND pg_catalog.to_jsonb(k) ->> 'confdelsetcols' IS NULL
   AND coalesce(pg_catalog.to_jsonb(k) ->> 'conperiod', 'false') = 'false'
   AND coalesce(pg_catalog.to_jsonb(k) ->> 'conenforced', 'true') = 'true'
 ORDER BY k.conname`;

const ACTIONS: Readonly<Record<string, ReferenceAction>> = {
  a: 'no action',
  r: 'restrict',
  c: 'cascade',
  n: 'set null',
  d: 'set default',
};

export async function readForeignKeys(
  ask: Ask,
  oid: number,
  fieldOf: (column: string) => string | undefined,
): Promise<ForeignKeyStructure[]> {
  const rows = await ask(FOREIGN_KEYS, [oid]);
  return rows.flatMap((row): ForeignKeyStructure[] => {
    const fields = (JSON.parse(row['columns'] as string) as string[]).map(fieldOf);
    if (fields.includes(undefined)) return [];
    return [
      {
        name: row['name'] as string,
        fields: fields as string[],
        references: {
          table: streamName(row['schema'] as string, row['table'] as string),
          fields: JSON.parse(row['referred'] as string) as string[],
        },
        onDelete: ACTIONS[row['on_delete'] as string]!,
        onUpdate: ACTIONS[row['on_update'] as string]!,
        deferrable:
          row['deferrable'] === true ? (row['deferred'] === true ? 'deferred' : 'immediate') : undefined,
        full: row['full'] === true || undefined,
      },
    ];
  });
}
