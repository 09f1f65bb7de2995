/**
 * Removes what nobody needs any more. A file may only go when no reader and no writer can still want it:
 *
 * - *Removed files* (replaced by a load or a compaction) are kept for `retentionMs`, for queries that began before.
 * - *Leftover files* lie in a table's folder, have our kind of name, and no commit names them. A writer puts
 *   files there before it commits, perhaps hours before, so age alone proves nothing. Every writer therefore keeps
 *   a folder under `_sluice/staging` while it works, and a leftover goes only when it is older than `graceMs`
 *   *and* older than every writer that is still alive; or when the caller says it is its own and done with.
 * - *Staging folders* go when their owner is dead: its process does not exist on this machine, or, for other
 *   machines, nothing in the folder has changed for `silentMs`.
 *
 * Should a writer come back from the dead (a laptop that slept), nothing is lost either: before leftovers are
 * deleted, a `retain` commit lists them, and the log refuses any commit that was planned earlier and adds one of
 * them. File names contain the load, so no later load writes to a name that is about to be deleted.
 */
import { ConflictError } from '../../core/errors.ts';
import type { ObjectStorage, StoredObject } from '../../core/storage.ts';
import { isRunning } from '../shared/is-running.ts';
import { deleteStaging, SILENT_MS, type StagingOwner, surveyOwners } from '../shared/staging.ts';
import { storageClock } from '../shared/storage-clock.ts';
import { commitKey, commitsPrefix, dataPrefix, isDataKey, seqOfKey } from './layout.ts';
import { listTables, openTableLog, type TableLog } from './log.ts';
import type { CommitDraft, FoldedState } from './records.ts';

const HOUR = 3_600_000;

export interface SweepOptions {
  /** Who sweeps; its own staging folder stays, and does not keep leftovers alive. */
  owner: StagingOwner;
  /** Only these tables; all when undefined. */
  tables?: readonly string[] | undefined;
  /** How long removed files are kept. */
  retentionMs?: number | undefined;
  /** Files younger than this are never leftovers. */
  graceMs?: number | undefined;
  /** Owners on other machines that have been silent for so long are dead. */
  silentMs?: number | undefined;
  /** Keys that the caller wrote and will not commit: they need no grace. */
  ours?: readonly string[] | undefined;
  /** Only report. */
  dryRun?: boolean | undefined;
  now?: (() => number) | undefined;
  /** Whether a process of this machine exists. */
  isRunning?: ((pid: number) => boolean) | undefined;
}

export interface SweepReport {
  /** Keys of files that no commit named. */
  leftovers: string[];
  /** Keys of removed files whose time was over. */
  expired: string[];
  /** Keys of scratch files of dead writers. */
  staging: string[];
  bytes: number;
  /** Tables that were left alone, for example because their log cannot be read. */
  skipped: { table: string; reason: string }[];
}

type Choices = Omit<SweepOptions, 'tables' | 'ours'>;
type Settings = { [K in keyof Choices]-?: NonNullable<Choices[K]> } & { ours: ReadonlySet<string> };

export async function sweepLake(storage: ObjectStorage, options: SweepOptions): Promise<SweepReport> {
  const settings: Settings = {
    retentionMs: 7 * 24 * HOUR,
    graceMs: HOUR,
    silentMs: SILENT_MS,
    dryRun: false,
    isRunning,
    ...withoutUndefined<Choices>(options),
    now: options.now ?? (options.dryRun === true ? Date.now : await storageClock(storage, options.owner)),
    ours: new Set(options.ours),
  };
  const report: SweepReport = { leftovers: [], expired: [], staging: [], bytes: 0, skipped: [] };
  const owners = await surveyOwners(storage, settings);
  for (const table of options.tables ?? (await listTables(storage))) {
    try {
      await sweepTable(openTableLog(storage, table, { now: settings.now }), {
        storage,
        settings,
        aliveSince: owners.aliveSince,
        report,
      });
    } catch (error) {
      report.skipped.push({ table, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  for (const object of owners.dead) report.bytes += object.size;
  report.staging = owners.dead.map((object) => object.key);
  if (!settings.dryRun) await deleteStaging(storage, report.staging);
  return report;
}

export interface Leftovers {
  leftovers: StoredObject[];
  /** Files in the table's folder that do not have our kind of name; they are never touched. */
  strangers: StoredObject[];
}

/** Files in the table's folder that the state does not know. */
export function findLeftovers(state: FoldedState, objects: readonly StoredObject[]): Leftovers {
  const known = new Set([...state.files, ...state.removed].map((file) => file.key));
  const unknown = objects.filter((object) => !known.has(object.key));
  const [leftovers, strangers]: [StoredObject[], StoredObject[]] = [[], []];
  for (const object of unknown) (isDataKey(state.table, object.key) ? leftovers : strangers).push(object);
  return { leftovers, strangers };
}

interface TableSweep {
  storage: ObjectStorage;
  settings: Settings;
  aliveSince: number;
  report: SweepReport;
}

async function sweepTable(
  log: TableLog,
  { storage, settings, aliveSince, report }: TableSweep,
): Promise<void> {
  const { now, graceMs, retentionMs, ours, owner } = settings;
  // Listed before the log is read: a file that is committed in between is then known to the log.
  const objects = await storage.list(dataPrefix(log.table));
  const state = await log.read();
  if (!state) return;
  const old = (object: StoredObject): boolean =>
    now() - object.modifiedAt > graceMs && object.modifiedAt < aliveSince;
  const leftovers = findLeftovers(state, objects).leftovers.filter(
    (object) => ours.has(object.key) || old(object),
  );
  const removedAt = await commitTimes(storage, state);
  const expired = state.removed.filter(
    (file) => now() - (removedAt.get(file.seq) ?? file.wallMs) > retentionMs,
  );
  const keys = [...leftovers, ...expired].map((file) => file.key);
  if (keys.length === 0) return;
  if (!settings.dryRun) {
    const at = new Date(now()).toISOString();
    const { stream, version } = state;
    const purge: CommitDraft = {
      ...owner,
      kind: 'retain',
      stream,
      load: owner.run,
      fence: 0,
      at,
      add: [],
      remove: [],
      slices: [],
      purge: keys,
    };
    try {
      await log.append(purge, version);
    } catch (error) {
      // Somebody committed one of the files just now: it was none of a dead writer, and the next sweep sees clearer.
      if (error instanceof ConflictError)
        return void report.skipped.push({ table: log.table, reason: error.message });
      throw error;
    }
    await storage.delete(keys);
  }
  report.leftovers.push(...leftovers.map((file) => file.key));
  report.expired.push(...expired.map((file) => file.key));
  report.bytes += sum(leftovers.map((file) => file.size)) + sum(expired.map((file) => file.bytes));
}

/** When the commits were made that removed files, by the storage's clock: theirs may have been wrong. */
async function commitTimes(
  storage: ObjectStorage,
  { table, removed }: FoldedState,
): Promise<Map<number | undefined, number>> {
  if (removed.length === 0) return new Map();
  const first = Math.min(...removed.map((file) => file.seq));
  const commits = await storage.list(commitsPrefix(table), { startAfter: commitKey(table, first - 1) });
  return new Map(commits.map(({ key, modifiedAt }) => [seqOfKey(key), modifiedAt]));
}

type Stated<T> = { [K in keyof T]: NonNullable<T[K]> };

function withoutUndefined<T extends object>(value: T): Stated<T> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as Stated<T>;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
