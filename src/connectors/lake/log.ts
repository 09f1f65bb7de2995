/**
 * The log of one table: numbered commit records that are only ever created, never changed. Creating number n + 1
 * is the commit; whoever loses that race has changed nothing. Every so often the folded state is stored beside
 * the records as a snapshot, so that reading costs one snapshot and the few commits after it. Snapshots are
 * derived: a missing or damaged one costs time, nothing else.
 */
import { ConfigError, ConflictError, InternalError } from '../../core/errors.ts';
import type { ObjectStorage } from '../../core/storage.ts';
import {
  commitKey,
  commitsPrefix,
  NAMES_PREFIX,
  nameKey,
  seqOfKey,
  snapshotKey,
  snapshotsPrefix,
  TABLES_PREFIX,
  tableOfFolder,
} from './layout.ts';
import {
  type CommitDraft,
  type CommitRecord,
  Fold,
  type FoldedState,
  isMaintenance,
  LOG_FORMAT,
  parseCommit,
  parseSnapshot,
  renderCommit,
  renderSnapshot,
} from './records.ts';

export interface LogOptions {
  /** The machine's clock, milliseconds. */
  now?: (() => number) | undefined;
  /** Commits between two snapshots. */
  snapshotEvery?: number | undefined;
}

const SNAPSHOT_EVERY = 20;
/** A reader may be about to open the newest one while the next is written, so more than one is kept. */
const SNAPSHOTS_KEPT = 3;
/** Reads of small objects under way at once. */
const PARALLEL_READS = 32;
/** How often maintenance steps behind a commit that came first before it gives up. */
const MAX_STEPS = 20;

export function openTableLog(storage: ObjectStorage, table: string, options: LogOptions = {}): TableLog {
  return new TableLog(storage, table, options);
}

/** Names of all tables that have a log, sorted. */
export async function listTables(storage: ObjectStorage): Promise<string[]> {
  const keys = (await storage.list(NAMES_PREFIX))
    .map((object) => object.key)
    .filter((key) => key.endsWith('.json'));
  if (keys.length === 0) return tablesWithCommits(storage);
  const names = await inParallel(keys, async (key) => {
    const folder = key.slice(NAMES_PREFIX.length, -'.json'.length);
    return tableOfFolder(folder) ?? nameIn(await storage.get(key), key);
  });
  return names.filter((name) => name !== undefined).sort();
}

/** The same from the commits, also when the list of names was lost; walks through all of them. */
export async function tablesWithCommits(storage: ObjectStorage): Promise<string[]> {
  const commits = (await storage.list(TABLES_PREFIX)).filter(
    (object) => object.key.includes('/commits/') && seqOfKey(object.key) !== undefined,
  );
  const firsts = [...Map.groupBy(commits, (object) => object.key.slice(TABLES_PREFIX.length).split('/')[0]!)];
  const names = await inParallel(firsts, async ([folder, objects]) => {
    const { key } = objects[0]!;
    return tableOfFolder(folder) ?? parseCommit(decode((await storage.get(key))!), key).table;
  });
  return names.sort();
}

const PLAN_ANEW = {
  code: 'lake.conflict',
  remedy: 'run again: it is planned anew from the last commit; if two schedules load this table, stop one',
} as const;
/** The rows that the load replaces now lie in other files. */
const COMPACTED = {
  code: 'lake.compacted',
  remedy: 'run again, and compact this table less often',
} as const;

/** Follows the log of one table. Calls are carried out one after the other; what was read once is not read again. */
export class TableLog {
  readonly table: string;
  readonly #storage: ObjectStorage;
  readonly #now: () => number;
  readonly #snapshotEvery: number;
  #fold: Fold | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(storage: ObjectStorage, table: string, options: LogOptions) {
    this.table = table;
    this.#storage = storage;
    this.#now = options.now ?? Date.now;
    this.#snapshotEvery = options.snapshotEvery ?? SNAPSHOT_EVERY;
  }

  /** The newest state; undefined when the table has no commits. */
  read(): Promise<FoldedState | undefined> {
    return this.#exclusive(async () => {
      const { fold } = await this.#catchUp();
      return fold.state();
    });
  }

  /** The commits after number `seq`, up to number `upTo`. */
  since(seq: number, upTo: number): Promise<CommitRecord[]> {
    return this.#since(seq, upTo);
  }

  /**
   * Commits `draft` as number `expectedSeq + 1` and returns the new state. Throws ConflictError when somebody else
   * committed since (`lake.conflict`), when a newer lease holder shut this one out (`lake.fenced`), when a file was
   * swept because its writer seemed dead (`lake.swept`), or when a file that a load removes was compacted
   * (`lake.compacted`); then nothing has changed. Loads and maintenance do not conflict as long as they do not touch
   * the same files: the later one takes the next number.
   *
   * After a TransientError it is unknown whether the commit happened; calling again with the same arguments finds out.
   */
  append(draft: CommitDraft, expectedSeq: number): Promise<FoldedState> {
    return this.#exclusive(() => this.#append(draft, expectedSeq));
  }

  async #append(draft: CommitDraft, expectedSeq: number): Promise<FoldedState> {
    const fold = await this.#loadedUpTo(expectedSeq);
    const since = await this.#since(expectedSeq, fold.version);
    for (let step = 0; step < MAX_STEPS; step++) {
      if (since.some((record) => isSame(record, draft))) return fold.state()!;
      this.#checkPassable(draft, since, fold);
      const record = this.#complete(draft, fold);
      const problem = fold.problem(record);
      if (problem !== undefined) throw this.#unfit(draft, problem, since);
      if (await this.#create(record)) {
        fold.apply(record, commitKey(this.table, record.seq));
        await this.#maybeSnapshot(fold);
        return fold.state()!;
      }
      since.push(...(await this.#catchUp()).records);
    }
    throw this.#conflict(since.at(-1)!, 'others kept committing');
  }

  /** The state up to at least `seq`. */
  async #loadedUpTo(seq: number): Promise<Fold> {
    const { fold } = await this.#catchUp();
    if (fold.version >= seq) return fold;
    throw new ConflictError(
      `committing to table "${this.table}": its log ends at ${fold.version}, the load was planned on ${seq}; nothing was changed`,
      {
        code: 'lake.conflict',
        remedy: 'the log went back, for example because the lake was restored from a backup; plan again',
        details: { table: this.table, version: fold.version, expected: seq },
      },
    );
  }

  #since(seq: number, upTo: number): Promise<CommitRecord[]> {
    const seqs = Array.from({ length: upTo - seq }, (_, i) => seq + 1 + i);
    return inParallel(seqs, (each) => this.#get(each));
  }

  /** Whether `draft` may follow the commits that were made `since` it was planned. */
  #checkPassable(draft: CommitDraft, since: readonly CommitRecord[], fold: Fold): void {
    const swept = new Set(since.flatMap((record) => record.purge));
    const gone = draft.add.find((file) => swept.has(file.key));
    if (gone) {
      throw new ConflictError(
        `committing to table "${this.table}": file "${gone.key}" was removed as a leftover while its writer seemed dead; nothing was changed`,
        {
          code: 'lake.swept',
          remedy: 'run again: the load starts from the last commit',
          details: { table: this.table, file: gone.key },
        },
      );
    }
    // Maintenance works without a lease; what it touches is checked file by file.
    if (isMaintenance(draft.kind)) return;
    if (draft.fence < fold.fence)
      throw this.#fenced(
        draft,
        since.find((record) => record.fence === fold.fence) ?? { ...fold.last!, fence: fold.fence },
      );
    const other = since.find((record) => !isMaintenance(record.kind));
    if (other) throw this.#conflict(other, 'this load was planned before that');
  }

  #complete(draft: CommitDraft, fold: Fold): CommitRecord {
    const seq = fold.version + 1;
    const origin = draft.kind === 'load' ? seq : 0;
    return {
      format: LOG_FORMAT,
      seq,
      table: this.table,
      ...draft,
      fence: isMaintenance(draft.kind) ? fold.fence : draft.fence,
      wallMs: this.#now(),
      rows: draft.add.reduce((sum, file) => sum + file.rows, 0),
      add: draft.add.map((file) => ({ ...file, origin: file.origin ?? origin })),
      purge: draft.purge ?? [],
    };
  }

  async #create(record: CommitRecord): Promise<boolean> {
    const { table, seq } = record;
    // Before the first commit: a table that nobody lists would be worse than a name without a table.
    if (seq === 1) await this.#putName();
    return this.#storage.putIfAbsent(commitKey(table, seq), encode(renderCommit(record)));
  }

  async #putName(): Promise<void> {
    const { table } = this;
    await this.#storage.putIfAbsent(nameKey(table), encode(`${JSON.stringify({ table })}\n`));
  }

  /** Without a commit in between the author contradicts the state it was given; otherwise the two do not go together. */
  #unfit(draft: CommitDraft, problem: string, since: readonly CommitRecord[]): ConflictError | InternalError {
    const other = since.at(-1);
    // Another load would have been a conflict before, so only maintenance can be in the way of a load here.
    if (other && !isMaintenance(draft.kind)) return this.#conflict(other, problem, COMPACTED);
    if (other) return this.#conflict(other, problem);
    return new InternalError(`committing to table "${this.table}": the commit does not fit: ${problem}`, {
      code: 'lake.commit_invalid',
      details: { table: this.table },
    });
  }

  #conflict(
    other: CommitRecord,
    why: string,
    how: typeof PLAN_ANEW | typeof COMPACTED = PLAN_ANEW,
  ): ConflictError {
    const { seq, kind, run, host } = other;
    return new ConflictError(
      `committing to table "${this.table}": ${who(other)} made commit ${seq} (${kind}) meanwhile: ${why}; nothing was changed`,
      { ...how, details: { table: this.table, version: seq, run, host } },
    );
  }

  #fenced(draft: CommitDraft, by: { run: string; host?: string | undefined; fence: number }): ConflictError {
    return new ConflictError(
      `committing to table "${this.table}": ${who(by)} has taken the stream over (fence ${by.fence}, ours is ${draft.fence}); nothing was changed`,
      {
        code: 'lake.fenced',
        remedy:
          'this run was thought dead, for example because the machine slept; run again when the other one has finished',
        details: { table: this.table, fence: by.fence, ours: draft.fence, run: by.run, host: by.host },
      },
    );
  }

  /** Reads what was committed since the last time. */
  async #catchUp(): Promise<{ fold: Fold; records: CommitRecord[] }> {
    const fold = this.#fold ?? (await this.#fromSnapshot());
    // What is known, from a snapshot or from before, must not outlive its commit, so that is listed, too: on top of a log
    // that somebody has removed nothing may be committed.
    const from = Math.max(0, fold.version - 1);
    const startAfter = from === 0 ? undefined : commitKey(this.table, from);
    const listed = await this.#storage.list(commitsPrefix(this.table), { startAfter });
    const present = new Set(listed.map((object) => seqOfKey(object.key)).filter((seq) => seq !== undefined));
    const newest = Math.max(fold.version, [...present].at(-1) ?? 0);
    const wanted = Array.from({ length: newest - from }, (_, i) => from + 1 + i);
    // A listing that ran beside a commit may lack a number that exists, so gaps are asked for by name.
    const records = await inParallel(wanted, async (seq) =>
      seq > fold.version || !present.has(seq) ? this.#get(seq) : undefined,
    );
    const fresh = records.filter(
      (record) => record !== undefined && record.seq > fold.version,
    ) as CommitRecord[];
    for (const record of fresh) fold.apply(record, commitKey(this.table, record.seq));
    this.#fold = fold;
    return { fold, records: fresh };
  }

  async #get(seq: number): Promise<CommitRecord> {
    const key = commitKey(this.table, seq);
    const bytes = await this.#storage.get(key);
    if (!bytes) {
      throw new ConfigError(
        `reading the log of table "${this.table}": commit "${key}" is missing, later ones exist`,
        {
          code: 'lake.commit_missing',
          remedy: `restore that file in ${this.#storage.describe()} from a backup or an earlier version of the object; without it nobody knows what the table consists of`,
          details: { table: this.table, file: key },
        },
      );
    }
    const record = parseCommit(decode(bytes), key);
    if (record.seq === seq && record.table === this.table) return record;
    throw new ConfigError(
      `reading the log of table "${this.table}": "${key}" holds commit ${record.seq} of table "${record.table}"`,
      {
        code: 'lake.commit_invalid',
        remedy:
          'the file was copied or renamed, or two tables differ only in capitals on a disk that ignores them: give one another `table` name',
        details: { table: this.table, file: key },
      },
    );
  }

  async #fromSnapshot(): Promise<Fold> {
    const seqs = (await this.#storage.list(snapshotsPrefix(this.table))).map((object) =>
      seqOfKey(object.key),
    );
    for (const seq of seqs.filter((each) => each !== undefined).toReversed()) {
      const key = snapshotKey(this.table, seq);
      const bytes = await this.#storage.get(key);
      const state = bytes && readSnapshot(bytes, key);
      if (state && state.version === seq && state.table === this.table) return new Fold(state);
    }
    return new Fold();
  }

  async #maybeSnapshot(fold: Fold): Promise<void> {
    if (fold.version % this.#snapshotEvery !== 0) return;
    try {
      await this.#storage.put(snapshotKey(this.table, fold.version), encode(renderSnapshot(fold.state()!)));
      await this.#putName();
      const all = (await this.#storage.list(snapshotsPrefix(this.table))).map((object) => object.key);
      await this.#storage.delete(all.slice(0, -SNAPSHOTS_KEPT));
    } catch {
      // The commit is made; the next reader reads a few more files.
    }
  }

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}

function who(by: { run: string; host?: string | undefined }): string {
  return `run "${by.run}"${by.host === undefined ? '' : ` on ${by.host}`}`;
}

function readSnapshot(bytes: Uint8Array, key: string): FoldedState | undefined {
  try {
    return parseSnapshot(decode(bytes), key);
  } catch {
    return undefined;
  }
}

/** Whether a commit is the one that `draft` asks for, made by a call whose answer was lost. */
function isSame(record: CommitRecord, draft: CommitDraft): boolean {
  const essence = (of: CommitRecord | CommitDraft): string =>
    JSON.stringify([
      of.kind,
      of.run,
      of.load,
      of.slices,
      of.remove,
      of.purge ?? [],
      of.checkpoint,
      of.add.map((file) => [file.key, file.rows, file.bytes]),
    ]);
  return essence(record) === essence(draft);
}

function nameIn(bytes: Uint8Array | undefined, key: string): string | undefined {
  if (!bytes) return undefined;
  try {
    const { table } = JSON.parse(decode(bytes)) as { table?: unknown };
    if (typeof table === 'string' && nameKey(table) === key) return table;
  } catch {
    // The same complaint as for any other content.
  }
  throw new ConfigError(`listing tables: "${key}" does not name its table`, {
    code: 'lake.name_corrupt',
    remedy: 'restore the file from a backup; it holds {"table": "<full name of the table>"}',
    details: { file: key },
  });
}

/** Results in the order of `items`, at most `width` under way; the first failure is the result. */
export async function inParallel<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
  width: number = PARALLEL_READS,
): Promise<R[]> {
  const results: R[] = Array.from({ length: items.length });
  const rest = items.entries();
  const lane = async (): Promise<void> => {
    for (const [index, item] of rest) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
  return results;
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function decode(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
