/** Where a demo lives: a folder with the project and the lake, and a PostgreSQL server. */
import { chmodSync, existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { ConfigError } from '../core/errors.ts';
import { makeFolder, startGuard } from '../testing/postgres-folder.ts';
import { type PostgresServer, startPostgres } from '../testing/postgres-server.ts';

export const DATABASE = 'shop';
export const PIPELINE = 'shop_to_lake';

export interface DemoPlace {
  readonly folder: string;
  readonly projectFile: string;
  readonly server: PostgresServer;
  /** The folder stays when the demo is over. */
  readonly kept: boolean;
  /** Stops the server; removes everything unless it is kept. */
  close(options?: { discard?: boolean }): Promise<void>;
}

export interface PlaceOptions {
  /** Kept when it is given. */
  directory: string | undefined;
  keep: boolean;
}

/** Faster to fill, and nothing in it is worth a flush. */
const SETTINGS: Readonly<Record<string, string>> = { max_wal_size: '4GB', shared_buffers: '256MB' };

/** Makes a new place and starts its server. */
export async function openPlace({ directory, keep }: PlaceOptions): Promise<DemoPlace> {
  const kept = keep || directory !== undefined;
  const { folder, forget } = kept ? await makeKeptFolder(directory) : await makePassingFolder();
  try {
    const server = kept ? await startKeptServer(folder) : await startPostgres({ settings: SETTINGS });
    return {
      folder,
      projectFile: join(folder, 'sluice.yaml'),
      server,
      kept,
      close: async ({ discard = false } = {}) => {
        await server.stop();
        if (!kept || discard) await forget(realDatabase(folder));
      },
    };
  } catch (error) {
    await forget(realDatabase(folder));
    throw error;
  }
}

/** Whether a demo was kept in this folder. */
export function isDemo(directory: string): boolean {
  return ['sluice.yaml', 'database/PG_VERSION'].every((name) => existsSync(join(directory, name)));
}

/** Starts the server of a demo that was kept, at the address that its project names. */
export async function reopenServer(directory: string, port: number): Promise<PostgresServer> {
  const dataDir = await realpath(join(directory, 'database'));
  return startPostgres({ dataDir, port, settings: SETTINGS });
}

interface Folder {
  folder: string;
  forget: (database: string | undefined) => Promise<void>;
}

/** Gone with this process, however it ends. */
async function makePassingFolder(): Promise<Folder> {
  const folder = await makeFolder(undefined);
  const guard = startGuard(0, folder);
  return {
    folder,
    forget: async () => {
      await rm(folder, { recursive: true, force: true });
      guard.kill('SIGKILL');
    },
  };
}

async function makeKeptFolder(directory: string | undefined): Promise<Folder> {
  if (directory === undefined) {
    const folder = await mkdtemp(join(await realpath(tmpdir()), 'sluice-demo-'));
    return { folder, forget: (database) => remove(folder, database) };
  }
  const folder = resolve(directory);
  const isNew = !existsSync(folder);
  await mkdir(folder, { recursive: true });
  if (readdirSync(folder).length > 0) {
    throw new ConfigError(`making a demo in "${directory}": the folder is not empty`, {
      code: 'demo.not_empty',
      remedy: 'name a folder that does not exist yet',
    });
  }
  return {
    folder,
    forget: async (database) => {
      await remove(folder, database);
      if (!isNew) await mkdir(folder);
    },
  };
}

async function remove(folder: string, database: string | undefined): Promise<void> {
  if (database !== undefined) await rm(database, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
}

/**
 * The cluster is part of the folder. As root, the server runs under another account, which cannot see folders such as
 * /root: then it is beside the other temporary files, and the folder has a link.
 */
async function startKeptServer(folder: string): Promise<PostgresServer> {
  const database = join(folder, 'database');
  if (process.getuid?.() !== 0) return startPostgres({ dataDir: database, settings: SETTINGS });
  chmodSync(folder, 0o755);
  if (everybodyMayEnter(folder)) return startPostgres({ dataDir: database, settings: SETTINGS });
  const outside = await mkdtemp(join(await realpath(tmpdir()), 'sluice-demo-'));
  chmodSync(outside, 0o755);
  await symlink(join(outside, 'database'), database);
  return startPostgres({ dataDir: join(outside, 'database'), settings: SETTINGS });
}

function everybodyMayEnter(folder: string): boolean {
  const open = (statSync(folder).mode & 0o001) !== 0;
  return open && (dirname(folder) === folder || everybodyMayEnter(dirname(folder)));
}

/** Where the cluster is when that is not in the folder itself. */
function realDatabase(folder: string): string | undefined {
  const database = join(folder, 'database');
  try {
    const real = realpathSync(database);
    return real === database ? undefined : dirname(real);
  } catch {
    return undefined;
  }
}

/** The project of the demo, written for people to read. */
export async function writeProject(file: string, url: string): Promise<string> {
  const text = `connections:
  shop: { type: postgres, url: "${url}" }
  lake: { type: lake, path: ./lake }

pipelines:
  ${PIPELINE}:
    from: shop
    to: lake
    defaults:
      load: merge               # one row for each key, always its newest version
      cursor: updated_at        # after the first load, read only what changed
      overlap: 1 second         # the shop's triggers set updated_at by the clock of the server
    streams:
      public.countries: { load: replace }     # tiny: read in full each time
      public.customers: {}
      public.orders: { partition_by: { column: order_date, by: month } }
      public.order_items: {}
`;
  await writeFile(file, text);
  return text;
}
