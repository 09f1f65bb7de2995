/** Whether a load is followed by a look for rows that are gone from the source. Pure. */
import type { Destination, GoneRows, TableState } from '../core/destination.ts';
import { ConfigError } from '../core/errors.ts';
import type { Snapshot } from '../core/source.ts';
import type { RunWindow, StreamConfig } from '../core/stream.ts';
import { STRATEGIES } from '../strategies/index.ts';

export function checkDeletes(
  { name, deletes }: StreamConfig,
  source: Snapshot,
  destination: Destination,
): void {
  const end = !source.compare ? 'source' : destination.compare ? undefined : 'destination';
  if (!deletes || end === undefined) return;
  throw new ConfigError(`planning ${name}: \`deletes\` needs hashes of keys, which its ${end} cannot make`, {
    code: 'deletes.unsupported',
    remedy: 'leave `deletes` out; docs/concepts/verify.md lists the systems that can',
  });
}

/** What is read now, all of it, lacks nothing; and a window of the user's says nothing about the rest. */
export function deletesOf(
  { deletes, load }: StreamConfig,
  given: { table: TableState | undefined; window: RunWindow; whole: boolean },
): GoneRows['how'] | undefined {
  const { from, to, replay } = given.window;
  const some = from !== undefined || to !== undefined || replay !== undefined;
  if (!deletes || some || given.whole || (given.table?.rows ?? 0) === 0) return undefined;
  return STRATEGIES[load].history === 'versions' ? 'end' : deletes.how;
}
