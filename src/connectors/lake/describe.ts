import type { StreamInfo } from '../../core/source.ts';
import { renderType } from '../../core/types.ts';
import { duckType } from '../../duckdb/types.ts';
import { CHANGED, CREATED } from '../shared/cursor-names.ts';
import { namePart } from '../shared/stream-name.ts';
import { LOADED_AT } from './records-sql.ts';
import type { FoldedState } from './records.ts';
import { canBeCursor } from '../shared/duckdb/relation.ts';
import { tableColumns } from './source-relation.ts';

/** One table as `discover` shows it, with a stream configuration to start from. */
export function describeTable(state: FoldedState): StreamInfo {
  const { columns, key } = tableColumns(state, false);
  const times = columns.filter(({ type }) => canBeCursor(type) && type.kind === 'timestamp');
  const rank = (name: string): number => (CHANGED.test(name) ? 0 : CREATED.test(name) ? 1 : 2);
  const cursors = times
    .toSorted((a, b) => rank(a.name) - rank(b.name))
    .map(({ name, type }) => ({ column: name, type: renderType(type), indexed: true, reason: 'a time' }));
  const loaded = {
    column: LOADED_AT,
    type: 'timestamptz',
    indexed: true,
    reason: 'the time of the load: there in every table',
  };
  return {
    name: namePart(state.table),
    kind: 'table',
    schema: {
      fields: columns.map(({ name, type, nullable }) => ({ name, type, nullable, native: duckType(type) })),
      key,
    },
    estimatedRows: state.rows,
    bytes: state.bytes,
    cursors: [loaded, ...cursors],
    proposal: key.length === 0 ? { load: 'replace' } : { load: 'merge', cursor: [LOADED_AT] },
    notes: key.length === 0 ? ['no key: changes arrive as new rows'] : [],
  };
}
