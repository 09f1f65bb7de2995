/**
 * Tables beside those of readers, in a lake: each place is a lake of its own below `_sluice/aside`, which no catalog looks into.
 * A table is put in the place of another one by a single commit, which names copies of its files in the place of all that were there,
 * with its checkpoint:
 *
 *   1. the readers' table is copied to the place that it goes to
 *   2. the commit on the readers' table; from here on they have the other one
 *   3. what was copied is dropped where it was
 *
 * Whoever dies before the second step has changed nothing that anybody sees, and after it the same call finds the commit and does the
 * third. On a disk a copy is a link. Files keep their bytes, so nothing is read.
 */
import { copyFile, link, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Destination } from '../../core/destination.ts';
import { ConfigError, ConflictError } from '../../core/errors.ts';
import type { Exchange, ExchangedTable, SideTables } from '../../core/side-tables.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import { withFiles } from '../shared/local-files.ts';
import { StagingFolder } from '../shared/staging-folder.ts';
import { commitKey, commitsPrefix, dataPrefix, nameKey, snapshotsPrefix } from './layout.ts';
import { openTableLog } from './log.ts';
import { type CommitDraft, currentSchema, type DataFile, type FoldedState } from './records.ts';

export interface LakePlaces {
  /** The lake of a place; of readers when it is empty. */
  storage(place: string): Promise<ObjectStorage>;
  destination(place: string): Promise<Destination>;
}

/** What a commit of another table says of itself. */
interface Author {
  run: string;
  fence: number;
  /** Names the state that was copied. */
  load: string;
}

export class LakeSideTables implements SideTables {
  readonly together = false;
  readonly #places: LakePlaces;

  constructor(places: LakePlaces) {
    this.#places = places;
  }

  at(place: string): Promise<Destination> {
    return this.#places.destination(place);
  }

  name(place: string, table: string): string {
    return `${asideFolder(place)}/${table}`;
  }

  async exchange({ tables, from, to, run }: Exchange, signal: AbortSignal): Promise<void> {
    const storages = {
      from: await this.#places.storage(from),
      readers: await this.#places.storage(''),
      to: await this.#places.storage(to),
    };
    const staging = new StagingFolder(storages.readers);
    await staging.announce();
    try {
      for (const table of tables) {
        signal.throwIfAborted();
        await exchangeTable(table, { ...storages, staging, run });
      }
    } finally {
      await staging.leave();
    }
  }

  /** A commit is whole, and what is left is found by the next exchange. */
  async settle(): Promise<void> {}

  async drop(place: string, tables: readonly string[]): Promise<void> {
    const storage = await this.#places.storage(place);
    for (const table of tables) await dropTable(storage, table);
  }
}

export function asideFolder(place: string): string {
  return `_sluice/aside/${place}`;
}

interface Work extends Record<'from' | 'readers' | 'to', ObjectStorage> {
  staging: StagingFolder;
  run: string;
}

async function exchangeTable(given: ExchangedTable, work: Work): Promise<void> {
  const { table, fence, versions } = given;
  const log = openTableLog(work.readers, table);
  const now = await log.read();
  const next = (await isDropped(work.from, table)) ? undefined : await openTableLog(work.from, table).read();
  if (!next || next.version !== versions.from || (now?.version ?? 0) !== (versions.readers ?? 0))
    throw changedMeanwhile(table);
  const load = `table ${next.version} ${next.last.wallMs}`;
  const [last] = now ? await log.since(now.version - 1, now.version) : [];
  // Whoever was at it was killed when it was done.
  if (last?.load !== load) {
    checkSchemas(now, next);
    if (now) {
      await dropTable(work.to, table);
      const author = { run: work.run, fence: now.fence, load: `table ${now.version} ${now.last.wallMs}` };
      await copyTable(
        { from: work.readers, state: now },
        { storage: work.to, staging: work.staging },
        author,
      );
    }
    const target = { storage: work.readers, staging: work.staging };
    await copyTable({ from: work.from, state: next }, target, { run: work.run, fence, load });
  }
  await dropTable(work.from, table);
}

/** A commit brings one schema: files of the new table have it, or one that readers' table had before. */
function checkSchemas(now: FoldedState | undefined, next: FoldedState): void {
  const known = new Set(now?.schemas.map(({ schema }) => JSON.stringify(schema)));
  known.add(JSON.stringify(currentSchema(next)));
  const other = next.files.find((file) => !known.has(JSON.stringify(next.schemas[file.schema]!.schema)));
  if (!other) return;
  throw new ConfigError(
    `promoting table "${next.table}": the columns of its source have changed while it was loaded, and its files are of several versions`,
    {
      code: 'shadow.versions',
      remedy: 'load it again with `sluice shadow --full-refresh`',
      details: { table: next.table },
    },
  );
}

/** Commits what a table is as the newest state of the same table of another lake; what that has is taken out. */
async function copyTable(
  { from, state }: { from: ObjectStorage; state: FoldedState },
  target: { storage: ObjectStorage; staging: StagingFolder },
  author: Author,
): Promise<void> {
  const log = openTableLog(target.storage, state.table);
  let there = await log.read();
  const draft = { ...draftOf(state), ...author };
  // Into an empty table all versions of the columns come first, one by one.
  if (!there)
    for (const { schema } of state.schemas.slice(0, -1))
      there = await log.append({ ...draft, kind: 'checkpoint', schema }, there?.version ?? 0);
  const schema = currentSchema(state);
  const before = there?.schemas.map((version) => JSON.stringify(version.schema)) ?? [];
  const isNew = schema !== undefined && before.at(-1) !== JSON.stringify(schema);
  const known = isNew ? [...before, JSON.stringify(schema)] : before;
  const version = (there?.version ?? 0) + 1;
  const add = await copyFiles(from, state.files, { ...target, tag: String(version) });
  await log.append(
    {
      ...draft,
      ...(isNew && { schema }),
      ...(state.checkpoint && { checkpoint: state.checkpoint }),
      ...(state.partitionBy && { partitionBy: state.partitionBy }),
      remove: there?.files.map(({ key }) => key) ?? [],
      add: add.map((file) => ({
        ...file,
        // They hold rows of several loads.
        origin: 0,
        schema: known.lastIndexOf(JSON.stringify(state.schemas[file.schema]!.schema)),
      })),
    },
    version - 1,
  );
}

function draftOf(state: FoldedState): Omit<CommitDraft, 'run' | 'fence' | 'load'> {
  const at = state.loadedAt ?? state.last.at;
  return { kind: 'load', stream: state.stream, at, add: [], remove: [], slices: [] };
}

/** Under names that no file of the target has: `tag` is the number of the commit. */
async function copyFiles(
  from: ObjectStorage,
  files: readonly DataFile[],
  { storage, staging, tag }: { storage: ObjectStorage; staging: StagingFolder; tag: string },
): Promise<DataFile[]> {
  const scratch = staging.scratch();
  await mkdir(scratch, { recursive: true });
  const copies: DataFile[] = [];
  try {
    for (const [number, file] of files.entries()) {
      const key = file.key.replace(/(?:_x\d+)?(_\d+\.parquet)$/, `_x${tag}$1`);
      const copy = path.join(scratch, String(number));
      await withFiles({ storage: from, files: [file] }, () => linkOrCopy(from.localPath(file.key), copy));
      await storage.upload(key, copy);
      copies.push({ ...file, key });
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return copies;
}

async function linkOrCopy(from: string, to: string): Promise<void> {
  await link(from, to).catch(() => copyFile(from, to));
}

/** A log begins with its first commit: whose is gone is being dropped, or never was. */
export async function isDropped(storage: ObjectStorage, table: string): Promise<boolean> {
  return (await storage.get(commitKey(table, 1))) === undefined;
}

export async function dropTable(storage: ObjectStorage, table: string): Promise<void> {
  await storage.delete([commitKey(table, 1)]);
  const prefixes = [snapshotsPrefix(table), commitsPrefix(table), dataPrefix(table)];
  const found = await Promise.all(prefixes.map((prefix) => storage.list(prefix)));
  await storage.delete([nameKey(table), ...found.flat().map(({ key }) => key)]);
}

function changedMeanwhile(table: string): ConflictError {
  return new ConflictError(`promoting table "${table}": somebody has committed since it was looked at`, {
    code: 'lake.conflict',
    remedy: 'run again',
    details: { table },
  });
}
