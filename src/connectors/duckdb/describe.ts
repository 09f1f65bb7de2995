import type { StreamInfo } from '../../core/source.ts';
import { renderType } from '../../core/types.ts';
import { CHANGED, CREATED, SMALL_ROWS } from '../shared/cursor-names.ts';
import { canBeCursor } from '../shared/duckdb/relation.ts';
import { namePart, streamName } from '../shared/stream-name.ts';
import type { CatalogTable } from './catalog.ts';
import { mapColumn } from '../shared/duckdb/column-types.ts';

/** One table or view as `discover` shows it, with a stream configuration to start from; names in `schema` go without it. */
export function describeTable(table: CatalogTable, schema: string): StreamInfo {
  const columns = table.columns.map((column) => ({ ...mapColumn(column), native: column.native }));
  const rank = (name: string): number => (CHANGED.test(name) ? 0 : CREATED.test(name) ? 1 : 2);
  const cursors = columns
    .filter(({ type }) => canBeCursor(type) && type.kind === 'timestamp')
    .toSorted((a, b) => rank(a.name) - rank(b.name));
  const changed = cursors.find(({ name }) => CHANGED.test(name));
  const small = table.view || (table.rows ?? 0) < SMALL_ROWS;
  return {
    name: table.schema === schema ? namePart(table.name) : streamName(table.schema, table.name),
    kind: table.view ? 'view' : 'table',
    schema: {
      fields: columns.map(({ name, type, nullable, native }) => ({ name, type, nullable, native })),
      key: table.key,
    },
    estimatedRows: table.rows,
    bytes: undefined,
    cursors: cursors.map(({ name, type }) => ({
      column: name,
      type: renderType(type),
      indexed: true,
      reason: CHANGED.test(name)
        ? 'the name says: time of the last change'
        : CREATED.test(name)
          ? 'time of creation: sees new rows, not changes'
          : 'a timestamp',
    })),
    proposal:
      changed && !small
        ? { load: table.key.length > 0 ? 'merge' : 'append', cursor: [changed.name] }
        : { load: 'replace' },
    notes: table.key.length === 0 && !table.view ? ['no key: changes arrive as new rows'] : [],
  };
}
