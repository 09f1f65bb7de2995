import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { COMMANDS, GLOBAL_OPTIONS } from '../src/cli/command-table.ts';
import { loadProject } from '../src/config/load-project.ts';
import { connectors } from '../src/connectors/registry.ts';

const root = join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const lines = (text: string): string[] => text.trimEnd().split('\n');
const documents = [
  ...globSync('*.md', { cwd: root }),
  ...globSync('{docs,examples,bench,src}/**/*.md', { cwd: root, exclude: ['**/node_modules/**'] }),
].toSorted();

const scratch = mkdtempSync(join(tmpdir(), 'sluice-docs-'));
afterAll(() => rmSync(scratch, { recursive: true }));

test('the documents that everybody looks for are there', () => {
  const wanted = ['ARCHITECTURE.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'README.md', 'SECURITY.md'];
  expect(documents).toEqual(expect.arrayContaining(wanted));
});

test('documents are as short as they promise to be', () => {
  const limits: [string, number][] = [
    ['README.md', 150],
    ['ARCHITECTURE.md', 200],
    ...documents
      .filter((file) => file.startsWith('docs/concepts/'))
      .map((file): [string, number] => [file, 120]),
  ];
  expect(limits.filter(([file, limit]) => lines(read(file)).length > limit)).toEqual([]);
});

test('tables of options and commands are up to date (else run: node scripts/generate-docs.mjs)', () => {
  const script = join(root, 'scripts/generate-docs.mjs');
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

describe.each(documents)('%s', (file) => {
  test('has no links that lead nowhere', () => {
    const targets = [...withoutCode(read(file)).matchAll(/\]\(([^)\s]+)\)/g)].map(
      ([, target = '']) => target,
    );
    expect(targets.filter((target) => !leadsSomewhere(file, target))).toEqual([]);
  });

  test('shows projects that load', async () => {
    const projects = blocks(read(file), 'yaml').filter((text) => /^connections:/m.test(text));
    for (const [index, text] of projects.entries()) {
      const path = join(scratch, `${file.replaceAll('/', '-')}-${index}.yaml`);
      writeFileSync(path, text);
      const names = [...text.matchAll(/\$\{(\w+)/g)].map(([, name = '']) => name);
      const env = Object.fromEntries(names.map((name) => [name, 'postgres://somebody@localhost/shop']));
      await expect(loadProject({ file: path, env, connectors: await connectors() })).resolves.toBeDefined();
    }
  });

  test('shows commands and options that exist', () => {
    // What was released before may be gone.
    const text = file === 'CHANGELOG.md' ? '' : read(file);
    expect(commandLines(text).flatMap(mistakesIn)).toEqual([]);
  });
});

describe('errors.md', () => {
  const rows = [...read('docs/errors.md').matchAll(/^\| `([\w.-]+)` \| ([^|]+) \|/gm)];
  const documented = new Map(rows.map(([, code = '', classes = '']) => [code, classes.split(' or ')]));

  test('has every code that the program can give, and no others', () => {
    const given = codesInSource();
    expect(given.filter((code) => !documented.has(code))).toEqual([]);
    expect([...documented.keys()].filter((code) => !given.includes(code))).toEqual([]);
  });

  test('tells the class that the program gives', () => {
    const wrong = classesInSource().filter(([code, recovery]) => !documented.get(code)?.includes(recovery));
    expect(wrong).toEqual([]);
  });
});

/** What the program consists of. */
function sources(): string[] {
  const files = globSync('src/**/*.ts', { cwd: root }).map((file) => file.replaceAll('\\', '/'));
  return files
    .filter((file) => !/\.(test|fixture)\.ts$|^src\/testing\/(?!postgres-)|shop-rows\.ts$/.test(file))
    .map(read);
}

/** Codes with their classes, where the two stand together: `new DataError(…, { code: … })`, `kind: 'auth', code: …`. */
function classesInSource(): [code: string, recovery: string][] {
  return sources().flatMap((text) => {
    const thrown = [...text.matchAll(/new (\w+)Error\((?:(?!new \w+Error\()[^])*?\bcode: '([\w.-]+)'/g)];
    const listed = [...text.matchAll(/kind: '(\w+)'(?: as const)?,\s+code: '([\w.-]+)'/g)];
    return [...thrown, ...listed].map(([, kind = '', code = '']): [string, string] => [
      code,
      kind.toLowerCase(),
    ]);
  });
}

/** Codes of errors, findings and warnings, as they are written in the sources. */
function codesInSource(): string[] {
  const codes = sources().flatMap((text) => {
    const written = [...text.matchAll(/\bcode(?:: |\s*=\s*)(?:[^'",;\n]*\?\?\s*)?'([\w.-]+)'/g)];
    const warned = [...text.matchAll(/\bwarn\([^')]*'([a-z]+\.\w+)'/g)];
    return [...written, ...warned].map(([, code = '']) => code);
  });
  return [...new Set(codes)].toSorted();
}

function blocks(text: string, language: string): string[] {
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(
    ([, body = '']) => body,
  );
}

function withoutCode(text: string): string {
  return text.replaceAll(/^```.*?^```/gms, '').replaceAll(/`[^`\n]*`/g, '``');
}

function leadsSomewhere(file: string, target: string): boolean {
  if (/^[a-z]+:/.test(target)) return true;
  const [path = '', anchor] = target.split('#');
  const there = path === '' ? file : join(dirname(file), path);
  if (!existsSync(join(root, there))) return false;
  return anchor === undefined || !there.endsWith('.md') || anchors(read(there)).includes(anchor);
}

/** As GitHub makes them of headings. */
function anchors(text: string): string[] {
  const headings = withoutFences(text).matchAll(/^#+ (.+)$/gm);
  return [...headings].map(([, heading = '']) =>
    heading
      .trim()
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function withoutFences(text: string): string {
  return text.replaceAll(/^```.*?^```/gms, '');
}

/** `sluice …` in code, without what a shell adds. */
function commandLines(text: string): string[] {
  const fenced = blocks(text, 'console').flatMap((block) => block.split('\n'));
  const inline = [...withoutFences(text).matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code);
  return [...fenced, ...inline].flatMap((line) => {
    const found = /^(?:\$ )?(?:npx )?sluice ((?:[a-z-]+ ?)+.*)$/.exec(line.trim());
    // Quoted SQL and what comes after a pipe or comment is not ours.
    return found ? [found[1]!.replaceAll(/'[^']*'|"[^"]*"/g, 'x').replace(/[|>#].*$/, '')] : [];
  });
}

function mistakesIn(line: string): string[] {
  const words = line.split(/\s+/).filter((word) => !GLOBAL_OPTIONS.some(({ name }) => word === `--${name}`));
  if (words.length === 0) return [];
  const command =
    COMMANDS.find(({ name }) => name === `${words[0]} ${words[1]}`) ??
    COMMANDS.find(({ name }) => name === words[0]);
  const family = COMMANDS.some(({ name }) => name.startsWith(`${words[0]} `)) && words[1] === undefined;
  if (!command) return family || words[0] === 'help' ? [] : [`sluice ${line}: there is no such command`];
  const known = [...GLOBAL_OPTIONS, ...command.options].map(({ name }) => `--${name}`);
  const options = [...line.matchAll(/(?<=\s)--[a-z-]+/g)].map(([option]) => option);
  return options
    .filter((option) => !known.includes(option))
    .map((option) => `sluice ${line}: there is no ${option}`);
}
