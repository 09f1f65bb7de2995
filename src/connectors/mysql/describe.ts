import type { StreamInfo } from '../../core/source.ts';
import { renderType } from '../../core/types.ts';
import { CHANGED, CREATED, SMALL_ROWS } from '../shared/cursor-names.ts';
import { streamName } from '../shared/stream-name.ts';
import type { CatalogColumn, CatalogTable } from './catalog.ts';
import { canBeCursor, mapColumn, type TypeSettings } from './types.ts';

/** One catalog entry as `discover` shows it, with a stream configuration to start from. */
export function describeTable(table: CatalogTable, settings: TypeSettings): StreamInfo {
  const mapped = table.columns.map((column) => ({
    column,
    type: mapColumn(column.name, column.type, settings).type,
  }));
  const cursors = mapped
    .filter(({ type }) => canBeCursor(type) && type.kind !== 'int16')
    .map(({ column, type }) => ({ column, type, ...rank(column, table) }))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .map(({ column, type, reason }) => ({
      column: column.name,
      type: renderType(type),
      indexed: table.indexed.includes(column.name),
      reason,
    }));
  return {
    name: streamName(table.schema, table.name),
    kind: table.view ? 'view' : table.partitioned ? 'partitioned table' : 'table',
    schema: {
      fields: mapped.map(({ column, type }) => ({
        name: column.name,
        type,
        nullable: column.nullable,
        native: column.native,
      })),
      key: table.key,
    },
    estimatedRows: table.rows,
    bytes: table.bytes > 0 ? table.bytes : undefined,
    cursors,
    proposal: propose(table, cursors),
    notes: notes(table, cursors),
  };
}

function rank(column: CatalogColumn, table: CatalogTable): { score: number; reason: string } {
  const time = column.type.name === 'timestamp' || column.type.name === 'datetime';
  const bonus = table.indexed.includes(column.name) ? 1 : 0;
  if (time && CHANGED.test(column.name))
    return { score: 40 + bonus, reason: 'the name says: time of the last change' };
  if (time && CREATED.test(column.name))
    return { score: 20 + bonus, reason: 'time of creation: sees new rows, not changes' };
  if (column.rising && table.key.length === 1 && table.key[0] === column.name)
    return { score: 10 + bonus, reason: 'rising key: sees new rows, not changes' };
  if (time) return { score: 5 + bonus, reason: 'a time' };
  return { score: 0, reason: '' };
}

function propose(table: CatalogTable, cursors: StreamInfo['cursors']): StreamInfo['proposal'] {
  const changed = cursors.find((cursor) => CHANGED.test(cursor.column));
  if (!changed) return { load: 'replace' };
  // Tables that fill updated_at only on the first change need created_at beside it.
  const nullable = table.columns.find((column) => column.name === changed.column)?.nullable ?? false;
  const created = cursors.find((cursor) => CREATED.test(cursor.column) && cursor.type === changed.type);
  return {
    load: 'append',
    cursor: nullable && created ? [changed.column, created.column] : [changed.column],
  };
}

const TRANSACTIONAL = /^(innodb|rocksdb|tokudb|ndbcluster)$/i;

/** Why what is read of a table may not be of one moment; undefined when it is. */
export function looseEngine(table: Pick<CatalogTable, 'engine'> | undefined): string | undefined {
  if (table?.engine === undefined || TRANSACTIONAL.test(table.engine)) return undefined;
  return `${table.engine} has no transactions: rows are read as they are at that moment, not as of the snapshot`;
}

function notes(table: CatalogTable, cursors: StreamInfo['cursors']): string[] {
  const found: string[] = [];
  if (table.comment !== '') found.push(table.comment);
  const loose = looseEngine(table);
  if (loose !== undefined) found.push(loose);
  if (table.key.length === 0 && !table.view)
    found.push('no key: changes arrive as new rows, `current` cannot tell versions apart');
  const best = cursors[0];
  if (best && !best.indexed && (table.rows ?? 0) > 100_000)
    found.push(`no index on ${best.column}: every run reads the whole table on the server`);
  if (!best && !table.view && (table.rows ?? 0) > SMALL_ROWS)
    found.push(
      'no column for a cursor: updated_at TIMESTAMP(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6), with an index, is one',
    );
  return found;
}
