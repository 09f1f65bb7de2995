// Compiles src to dist, copies what is not TypeScript (SQL migrations, templates), marks the command executable.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

rmSync('dist', { recursive: true, force: true });
const tsc = spawnSync('tsc', ['-p', 'tsconfig.build.json'], {
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
