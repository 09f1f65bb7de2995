/** Whether a load is followed by a look for rows that are gone from the source. Pure. */
import type { Destination, TableState } from '../core/destination.ts';
import { ConfigError } from '../core/errors.ts';
import type { Snapshot } from '../core/source.ts';
import type { DeletesConfig, RunWindow, StreamConfig } from '../core/stream.ts';

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
  { deletes }: StreamConfig,
  load: { table: TableState | undefined; window: RunWindow; anew: boolean },
): DeletesConfig['how'] | undefined {
  const { from, to, replay } = load.window;
  const some = from !== undefined || to !== undefined || replay !== undefined;
  return some || load.anew || (load.table?.rows ?? 0) === 0 ? undefined : deletes?.how;
}
