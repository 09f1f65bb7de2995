/**
 * Temporary folders that belong to a process and do not outlive it, together with the PostgreSQL server inside.
 *
 * Nothing here installs a signal or exit handler into the host program: a small guard process holds a pipe to us, and when
 * the pipe breaks, for whatever reason, even kill -9, it stops the server and removes the folder. What survives that too
 * (a reboot, a killed guard) is swept at the next start.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, chown, lstat, mkdtemp, readdir, readFile, realpath, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/** The account a server runs under when we are root. */
export interface Account {
  uid: number;
  gid: number;
}

/**
 * The owner's process id is part of the name: a file written afterwards would leave a moment in which another
 * process sees a folder without an owner and sweeps it.
 */
export async function makeFolder(account: Account | undefined): Promise<string> {
  const folder = await mkdtemp(path.join(await realpath(tmpdir()), `sluice-pg-${process.pid}-`));
  if (account !== undefined) {
    // Stays ours, so that the sweep recognises it; the server's group may pass through.
    await chown(folder, process.getuid?.() ?? 0, account.gid);
    await chmod(folder, 0o710);
  }
  return folder;
}

// Ends when its standard input does, that is with our process. It looks at the pid file, not at the process, because
// an orphan that nobody reaps looks alive for ever. Postgres gives its own children 5 s, so we give it as much.
const GUARD_SCRIPT = `
read -r _
if [ "$1" != 0 ]; then
  kill -QUIT "$1"
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
    [ -e "$2/data/postmaster.pid" ] || break
    sleep 0.2
  done
  kill -KILL "$1"
fi
[ -e "$2/keep" ] || rm -rf "$2"`;

/** Stops the server `pid` (unless 0) and removes `folder` (unless kept) when our process ends without having done it. */
export function startGuard(pid: number, folder: string): ChildProcess {
  const guard = spawn('sh', ['-c', GUARD_SCRIPT, 'postgres-guard', String(pid), folder], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  // Without a shell only the sweep at the next start remains.
  guard.on('error', () => undefined);
  guard.unref();
  (guard.stdin as Socket | null)?.unref();
  return guard;
}

/** The postmaster's pid file, with its process id in the first line; empty when there is no server. */
export async function pidFileLines(dataDir: string): Promise<string[]> {
  const text = await readFile(path.join(dataDir, 'postmaster.pid'), 'utf8').catch(() => '');
  return text.split('\n');
}

/** Removes the folders, and stops the servers, of processes that are gone; never touches those of another user. */
export async function sweepOrphans(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const owner = Number(/^sluice-pg-(\d+)-\w{6}$/.exec(name)?.[1]);
    const folder = path.join(tmpdir(), name);
    if (!Number.isNaN(owner) && !isAlive(owner) && (await isOurs(folder))) {
      await stopOrphan(folder);
      if (!existsSync(path.join(folder, 'keep'))) {
        // Another process may be sweeping the same folder.
        await rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
      }
    }
  }
}

async function stopOrphan(folder: string): Promise<void> {
  const dataDir = await realpath(path.join(folder, 'data')).catch(() => '');
  const pid = Number((await pidFileLines(dataDir))[0]);
  // The number in the file may meanwhile belong to any other process.
  if (dataDir === '' || !(pid > 0) || !(await commandLine(pid)).includes(dataDir)) {
    return;
  }
  signalQuietly(pid, 'SIGQUIT');
  for (let attempt = 0; attempt < 50 && (await pidFileLines(dataDir)).length > 1; attempt += 1) {
    await sleep(100);
  }
  signalQuietly(pid, 'SIGKILL');
}

async function isOurs(folder: string): Promise<boolean> {
  const found = await lstat(folder).catch(() => undefined);
  return found !== undefined && found.isDirectory() && found.uid === process.getuid?.();
}

async function commandLine(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    return readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  }
  // ps exits with 1 when there is no such process.
  const listed = promisify(execFile)('ps', ['-p', String(pid), '-o', 'command=']);
  return listed.then(({ stdout }) => stdout).catch(() => '');
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  // In a container without an init process the dead stay in the table.
  return !/^State:\s+Z/m.test(readStatus(pid));
}

function readStatus(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}

function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone already, which is what we want.
  }
}
