import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterAll, expect, test } from 'vitest';

// The linter ignores a pattern that it cannot read, without a word. So the layer rules are tested on probe files.

const project = join(import.meta.dirname, '..');
const scratch = mkdtempSync(join(tmpdir(), 'sluice-layers-'));
afterAll(() => rmSync(scratch, { recursive: true }));

const below = ['core', 'duckdb'];
const underEngine = [...below, 'state', 'strategies', 'gate', 'rules', 'catalog', 'observe', 'config'];
const connectors = ['connectors/one', 'connectors/two', 'connectors/shared/sql', 'connectors'];
const underCli = [
  ...underEngine,
  ...connectors,
  'engine',
  'generate',
  'scheduler',
  'jobs',
  'testing',
  'server',
  'demo',
];

/** For each folder of src: the folders that it may import. */
const allowed: Record<string, readonly string[]> = {
  core: [],
  duckdb: ['core'],
  config: ['core'],
  state: below,
  strategies: below,
  gate: below,
  rules: [...below, 'connectors/shared/sql'],
  catalog: below,
  observe: below,
  connectors: [...below, 'connectors/one', 'connectors/two', 'connectors/shared/sql'],
  'connectors/one': [...below, 'connectors/shared/sql'],
  'connectors/two': [...below, 'connectors/shared/sql'],
  'connectors/shared/sql': below,
  engine: underEngine,
  generate: [...underEngine, 'engine', 'connectors/shared/sql'],
  scheduler: [...underEngine, 'engine', 'generate'],
  jobs: [...underEngine, 'engine', 'generate'],
  testing: [...underEngine, 'engine', 'generate'],
  server: underCli,
  demo: underCli,
  cli: underCli,
};
const folders = Object.keys(allowed);
const probe = (from: string, to: string): string => `src/${from}/imports-${to.replaceAll('/', '-')}.ts`;
const pairs = folders.flatMap((from) => folders.filter((to) => to !== from).map((to) => ({ from, to })));

test('each layer can import the layers below it and no others', () => {
  for (const folder of folders) write(`src/${folder}/leaf.ts`, 'export const leaf = 1;\n');
  for (const { from, to } of pairs) {
    const path = relative(from, `${to}/leaf.ts`);
    write(probe(from, to), `export { leaf } from '${path.startsWith('.') ? path : `./${path}`}';\n`);
  }
  const refused = restrictedImports();
  const wrong = pairs.filter(({ from, to }) => refused.has(probe(from, to)) === allowed[from]?.includes(to));
  expect(wrong).toEqual([]);
});

test('every folder of src is a layer with a rule', () => {
  const present = readdirSync(join(project, 'src'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  expect(present.filter((name) => !folders.includes(name))).toEqual([]);
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(scratch, path)), { recursive: true });
  writeFileSync(join(scratch, path), text);
}

function restrictedImports(): Set<string> {
  cpSync(join(project, '.oxlintrc.json'), join(scratch, '.oxlintrc.json'));
  const oxlint = join(project, 'node_modules/.bin/oxlint');
  const { stdout } = spawnSync(oxlint, ['--format', 'unix', 'src'], { cwd: scratch, encoding: 'utf8' });
  const lines = stdout.split('\n').filter((line) => line.includes('no-restricted-imports'));
  return new Set(lines.map((line) => line.slice(0, line.indexOf(':'))));
}
