import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

interface Manifest {
  readonly dependencies: Record<string, string>;
  readonly optionalDependencies: Record<string, string>;
  readonly devDependencies: Record<string, string>;
  readonly allowScripts: Record<string, boolean>;
}

interface LockFile {
  readonly packages: Record<string, LockedPackage>;
}

interface LockedPackage {
  readonly hasInstallScript?: boolean;
  readonly optionalDependencies?: Record<string, string>;
}

const root = new URL('../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const manifest = JSON.parse(read('package.json')) as Manifest;
const { packages } = JSON.parse(read('package-lock.json')) as LockFile;

test('every direct dependency has a reason in docs/dependencies.md, and the other way round', () => {
  const documented = [...read('docs/dependencies.md').matchAll(/^\| `(\S+)` \| (\w+) \| \S/gm)];
  const ofKind = (kind: string): string[] =>
    documented.filter((row) => row[2] === kind).map((row) => row[1] ?? '');

  expect(ofKind('runtime')).toEqual(Object.keys(manifest.dependencies));
  expect(ofKind('optional')).toEqual(Object.keys(manifest.optionalDependencies));
  expect(ofKind('development')).toEqual(Object.keys(manifest.devDependencies));
  expect(Object.keys(manifest.dependencies).length).toBeLessThanOrEqual(8);
});

test('dependencies are pinned exactly', () => {
  const all = { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.devDependencies };
  expect(Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
});

test('the lock file has every platform package, so that npm ci works on every platform', () => {
  const missing = Object.entries(packages).flatMap(([path, locked]) =>
    Object.keys(locked.optionalDependencies ?? {})
      .filter((name) => !isLocked(path, name))
      .map((name) => `${name} of ${path}`),
  );
  expect(missing).toEqual([]);
});

test('packages with install scripts are the ones that allowScripts names', () => {
  const scripted = Object.keys(packages).filter((path) => packages[path]?.hasInstallScript === true);
  expect(Object.keys(manifest.allowScripts).toSorted()).toEqual(
    scripted.map((path) => path.replace('node_modules/', '')).toSorted(),
  );
});

test.runIf(existsSync(new URL('README.md', root)))('README.md has at most 150 lines', () => {
  expect(read('README.md').trimEnd().split('\n').length).toBeLessThanOrEqual(150);
});

/** A dependency is found beside its dependent or in any node_modules above it. */
function isLocked(path: string, name: string): boolean {
  for (let at = path; ; at = at.slice(0, at.lastIndexOf('node_modules/')).replace(/\/$/, '')) {
    if (packages[`${at}${at === '' ? '' : '/'}node_modules/${name}`] !== undefined) return true;
    if (at === '') return false;
  }
}
