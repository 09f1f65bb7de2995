// Compiles src to dist, copies what is not TypeScript (SQL migrations, templates), marks the command executable. Does nothing
// when nothing has changed since it last did. Types are what the linter checks.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

/** What is compiled, what says how, and what has come of it. */
const FOLDERS = ['src', 'dist'];
const FILES = [
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'scripts/build.mjs',
];
const STAMP = '.cache/built';

if (existsSync('dist') && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === stateOfFiles()) process.exit();

rmSync('dist', { recursive: true, force: true });
const tsc = spawnSync('tsc', ['-p', 'tsconfig.build.json', '--noCheck'], {
  stdio: 'inherit',
  shell: process.platform === 'win32',
});
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

const isSource = /\.(ts|md)$/;
cpSync('src', 'dist', {
  recursive: true,
  filter: (path) => statSync(path).isDirectory() || !isSource.test(path),
});

for (const file of Object.values(JSON.parse(readFileSync('package.json', 'utf8')).bin)) {
  if (existsSync(file)) chmodSync(file, 0o755);
}

mkdirSync('.cache', { recursive: true });
writeFileSync(STAMP, stateOfFiles());

/** Differs when a file was added, removed or written. */
function stateOfFiles() {
  const within = (folder) => readdirSync(folder, { recursive: true }).map((name) => join(folder, name));
  const lines = [...FILES, ...FOLDERS.flatMap(within)].toSorted().map((file) => {
    const { size, mtimeMs } = statSync(file);
    return `${file} ${size} ${mtimeMs}`;
  });
  return createHash('sha256').update(lines.join('\n')).digest('hex');
}
