import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import { hint } from '../config/suggest.ts';
import { compactTable, planCompaction } from '../connectors/lake/compact.ts';
import {
  stagingFolder,
  type StagingOwner,
  announceOwner,
  dismissOwner,
  thisOwner,
} from '../connectors/shared/staging.ts';
import { listTables, openTableLog } from '../connectors/lake/log.ts';
import { sweepLake, type SweepReport } from '../connectors/lake/sweep.ts';
import { ConfigError } from '../core/errors.ts';
import { engineMemory } from '../core/memory.ts';
import type { ObjectStorage } from '../core/storage.ts';
import { withFrugalAllocator } from '../duckdb/allocator.ts';
import type { ProjectContext } from '../engine/context.ts';
import type { Invocation } from './command.ts';
import { connectionFromUrl, looksLikeUrl, urlContext } from './url-project.ts';

/** A lake and how its files are to be written. */
export interface Lake {
  readonly storage: ObjectStorage;
  readonly memoryBytes: number;
  readonly targetBytes: number | undefined;
  readonly compression: string | undefined;
  readonly rowGroupRows: number | undefined;
  readonly retentionMs: number | undefined;
}

/** The lake that `--lake` names by connection or path, or the only one of the project. */
export async function openLake(invocation: Invocation): Promise<Lake> {
  const { services, flags } = invocation;
  const wanted = flags.text('lake');
  if (wanted !== undefined && looksLikeUrl(wanted)) {
    const connectors = await services.connectors();
    const context = urlContext(connectors, {
      connections: { lake: connectionFromUrl(connectors, wanted, 'destination') },
    });
    return lakeOf(invocation, context, 'lake');
  }
  const context = await services.openProject(invocation.project);
  const { connections } = context.project;
  const lakes = Object.keys(connections).filter(
    (name) => context.connectors.get(connections[name]?.type ?? '')?.openStorage !== undefined,
  );
  if (wanted !== undefined && !lakes.includes(wanted)) {
    throw new ConfigError(`--lake: "${wanted}" is no lake of the project${hint(wanted, lakes)}`, {
      code: 'cli.lake',
      remedy: 'a path is written with a slash: ./lake',
    });
  }
  const name = wanted ?? lakes[0];
  if (name === undefined || (wanted === undefined && lakes.length > 1)) {
    throw new ConfigError(
      name === undefined
        ? 'the project has no lake'
        : `the project has ${lakes.length} lakes: ${lakes.join(', ')}`,
      {
        code: 'cli.lake',
        remedy: '--lake says which one is meant, by connection or by path',
      },
    );
  }
  return lakeOf(invocation, context, name);
}

async function lakeOf({ services }: Invocation, context: ProjectContext, name: string): Promise<Lake> {
  // Connections have been parsed when a project is there; another kind of lake may have other options.
  const options = context.project.connections[name] ?? { type: 'lake' };
  const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
  const retention = number(options['retention']);
  return {
    storage: await services.openStorage(context, name),
    memoryBytes: context.project.memoryBytes,
    targetBytes: number(options['file_size']),
    compression: typeof options['compression'] === 'string' ? options['compression'] : undefined,
    rowGroupRows: number(options['row_group_rows']),
    retentionMs: retention === undefined ? undefined : retention * 1000,
  };
}

/** Tables that were named, or all. */
export async function pickTables({ storage }: Lake, wanted: readonly string[]): Promise<string[]> {
  const known = await listTables(storage);
  const unknown = wanted.filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    const lines = unknown.map((name) => `"${name}": the lake has no such table${hint(name, known)}`);
    throw new ConfigError(lines.join('\n  '), { code: 'cli.no_table' });
  }
  return wanted.length > 0 ? [...wanted] : known;
}

export interface Compaction {
  readonly table: string;
  readonly filesBefore: number;
  readonly filesAfter: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

const TARGET_BYTES = 256_000_000;
/** Of several, rows would come in any order, and each takes memory of its own. */
const THREADS = 1;
/** A sweep on another machine takes an owner for dead that says nothing for hours. */
const ALIVE_EVERY_MS = 120_000;

/** What compaction would do: every group of small files becomes one. */
export async function planMerges(lake: Lake, tables: readonly string[]): Promise<Compaction[]> {
  const plans: Compaction[] = [];
  for (const table of tables) {
    const state = await openTableLog(lake.storage, table).read();
    if (!state) continue;
    const merges = planCompaction(state, lake.targetBytes ?? TARGET_BYTES);
    const gone = merges.reduce((sum, merge) => sum + merge.length - 1, 0);
    const before = { filesBefore: state.files.length, bytesBefore: state.bytes };
    plans.push({ table, ...before, filesAfter: state.files.length - gone, bytesAfter: state.bytes });
  }
  return plans;
}

/** Merges small files, table by table; safe beside running loads. `done` is told of each table. */
export async function compact(
  lake: Lake,
  tables: readonly string[],
  { signal, done }: { signal: AbortSignal; done: (compaction: Compaction) => void },
): Promise<void> {
  const { storage, targetBytes, compression, rowGroupRows } = lake;
  const owner = thisOwner(`compact-${randomBytes(3).toString('hex')}`);
  const scratch = scratchFolder(storage, owner);
  const { Session } = await withFrugalAllocator(() => import('../duckdb/session.ts'));
  const session = await Session.open({
    memoryBytes: engineMemory(lake.memoryBytes),
    threads: THREADS,
    tempDirectory: join(scratch, 'spill'),
  });
  await announceOwner(storage, owner);
  const alive = setInterval(() => void announceOwner(storage, owner).catch(() => undefined), ALIVE_EVERY_MS);
  alive.unref();
  try {
    for (const table of tables) {
      const options = {
        storage,
        session,
        scratch,
        owner,
        targetBytes: targetBytes ?? TARGET_BYTES,
        compression,
        rowGroupRows,
        signal,
      };
      const { filesBefore, filesAfter, bytesBefore, bytesAfter } = await compactTable(
        openTableLog(storage, table),
        options,
      );
      done({ table, filesBefore, filesAfter, bytesBefore, bytesAfter });
    }
  } finally {
    clearInterval(alive);
    session.close();
    await dismissOwner(storage, owner).catch(() => undefined);
  }
}

/** Removes what no commit, no reader and no writer needs any more. */
export async function sweep(lake: Lake, tables: readonly string[], dryRun: boolean): Promise<SweepReport> {
  const owner = thisOwner(`sweep-${randomBytes(3).toString('hex')}`);
  return sweepLake(lake.storage, { owner, tables, dryRun, retentionMs: lake.retentionMs });
}

function scratchFolder(storage: ObjectStorage, owner: StagingOwner): string {
  const inLake = storage.localPath(`${stagingFolder(owner)}scratch`);
  return isAbsolute(inLake) ? inLake : join(tmpdir(), `sluice-${owner.run}`);
}
