import type { StreamInfo } from '../../core/source.ts';
import { renderType } from '../../core/types.ts';
import type { CatalogColumn, CatalogTable } from './catalog.ts';
import { CHANGED, CREATED, SMALL_ROWS } from '../shared/cursor-names.ts';
import { streamName } from '../shared/stream-name.ts';
import { canBeCursor, mapColumn } from './types.ts';

const KINDS: Readonly<Record<string, StreamInfo['kind']>> = {
  r: 'table',
  p: 'partitioned table',
  v: 'view',
  m: 'materialized view',
  f: 'foreign table',
};

/** One catalog entry as `discover` shows it, with a stream configuration to start from. */
export function describeTable(table: CatalogTable): StreamInfo {
  const mapped = table.columns.map((column) => ({
    column,
    type: mapColumn(column.name, column.type, true).type,
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
    kind: KINDS[table.kind] ?? 'table',
    parent: table.parent,
    schema: {
      fields: mapped.map(({ column, type }) => ({
        name: column.name,
        type,
        nullable: column.nullable,
        native: column.native,
      })),
      key: table.key,
    },
    estimatedRows: table.rows === undefined ? undefined : Math.round(table.rows),
    bytes: table.bytes > 0 ? table.bytes : undefined,
    cursors,
    proposal: propose(table, cursors),
    notes: notes(table, cursors),
  };
}

function rank(column: CatalogColumn, table: CatalogTable): { score: number; reason: string } {
  const time = column.type.name.startsWith('timestamp');
  const bonus = table.indexed.includes(column.name) ? 1 : 0;
  if (time && CHANGED.test(column.name))
    return { score: 40 + bonus, reason: 'the name says: time of the last change' };
  if (time && CREATED.test(column.name))
    return { score: 20 + bonus, reason: 'time of creation: sees new rows, not changes' };
  if (column.identity && table.key.length === 1 && table.key[0] === column.name)
    return { score: 10 + bonus, reason: 'rising key: sees new rows, not changes' };
  if (time) return { score: 5 + bonus, reason: 'a timestamp' };
  return { score: 0, reason: '' };
}

function propose(table: CatalogTable, cursors: StreamInfo['cursors']): StreamInfo['proposal'] {
  const changed = cursors.find((cursor) => CHANGED.test(cursor.column));
  if (changed) {
    // Tables that fill updated_at only on the first change need created_at beside it.
    const nullable = table.columns.find((column) => column.name === changed.column)?.nullable ?? false;
    const created = cursors.find((cursor) => CREATED.test(cursor.column) && cursor.type === changed.type);
    return {
      load: 'append',
      cursor: nullable && created ? [changed.column, created.column] : [changed.column],
    };
  }
  if (table.kind === 'v' || table.kind === 'f' || (table.rows ?? 0) < SMALL_ROWS) return { load: 'replace' };
  return table.kind === 'r' ? { load: 'append', cursor: ['xmin'] } : { load: 'replace' };
}

function notes(table: CatalogTable, cursors: StreamInfo['cursors']): string[] {
  const found: string[] = [];
  if (table.parent !== undefined) found.push(`part of ${table.parent}, which reads its rows too`);
  if (table.key.length === 0 && table.kind !== 'v')
    found.push('no key: changes arrive as new rows, `current` cannot tell versions apart');
  const best = cursors[0];
  if (best && !best.indexed && (table.rows ?? 0) > 100_000)
    found.push(`no index on ${best.column}: every run reads the whole table on the server`);
  if (!best && table.kind === 'r')
    found.push('no column for a cursor: xmin works, or `sluice sql updated-at-trigger` adds one');
  return found;
}
