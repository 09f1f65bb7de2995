/** Projects that are programs, run by processes of their own: no test runner stands between the file and Node. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openCatalog } from '../../src/index.ts';
import { root } from '../support/build.ts';

// Far from this repository, whose own name is "sluice".
const scratch = mkdtempSync(join(tmpdir(), 'sluice-typescript-'));
afterAll(() => rmSync(scratch, { recursive: true }));

let made = 0;

function project(files: Record<string, string>): string {
  const folder = join(scratch, String(made++));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return folder;
}

function sluice(
  folder: string,
  args: string[],
  env: Record<string, string> = {},
): { status: number | null; stdout: string; stderr: string } {
  const main = join(root, 'src/cli/main.ts');
  const { NODE_OPTIONS: _, ...others } = process.env;
  return spawnSync(process.execPath, [main, ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...others, ...env },
  });
}

const PROJECT = `import { defineProject, env, files, lake } from 'sluice';
import { streams } from './streams.ts';

const where: string = env('LANDING');
export default defineProject({
  connections: { landing: files({ path: where }), lake: lake({ path: './lake' }) },
  pipelines: { load: { from: 'landing', to: 'lake', streams } },
});
`;
const STREAMS = `import type { StreamDefinition } from 'sluice';

export const streams: Record<string, StreamDefinition> = { tenants: { files: 'tenants_*.csv', load: 'append' } };
`;

test.each([['{ "private": true }'], ['{ "type": "module" }'], [undefined]])(
  'a folder without the package, whose package.json is %s, runs with the Sluice that was started',
  async (manifest) => {
    const folder = project({
      'sluice.config.ts': PROJECT,
      'streams.ts': STREAMS,
      'landing/tenants_20260101.csv': 'id,name\n1,Ann\n2,Bob\n',
      ...(manifest !== undefined && { 'package.json': manifest }),
    });
    const ran = sluice(folder, ['run', '--json'], { LANDING: './landing' });
    expect(ran).toMatchObject({ status: 0, stderr: '' });
    const catalog = await openCatalog(join(folder, 'lake'));
    expect((await catalog.tables()).map(({ name, rows }) => [name, rows])).toEqual([['tenants', 2]]);
    await catalog.close();
    expect(readFileSync(join(folder, '.sluice/state.db')).byteLength).toBeGreaterThan(0);
  },
);

test('another copy of the package beside the project is not asked', () => {
  const folder = project({
    'sluice.config.mjs': PROJECT.replace(': string', '').replace('./streams.ts', './streams.mjs'),
    'streams.mjs': `export const streams = {};\n`,
    'node_modules/sluice/package.json': '{ "name": "sluice", "type": "module", "exports": "./index.js" }',
    'node_modules/sluice/index.js': `throw new Error('the wrong one');\n`,
  });
  expect(sluice(folder, ['plan'], { LANDING: '.' }).stderr).not.toContain('the wrong one');
});

test('what the environment holds is in no message and no line of JSON', () => {
  const folder = project({
    'sluice.config.ts': `import { defineProject, env, lake, postgres } from 'sluice';
export default defineProject({
  connections: { shop: postgres({ url: env('SHOP_URL'), tls: env('TLS') as 'prefer' }), lake: lake({ path: './lake' }) },
  pipelines: { load: { from: 'shop', to: 'lake', streams: { '*': true } } },
});
`,
  });
  const [url, tls] = ['postgres://app:hunter2@127.0.0.1:1/shop?connect_timeout=1', 's3cret'];
  const wrong = sluice(folder, ['run', '--json'], { SHOP_URL: url, TLS: tls });
  expect(wrong.status).toBe(2);
  expect(wrong.stdout + wrong.stderr).toContain('connections.shop.tls: \\"${TLS}\\" is none of');
  const unreachable = sluice(folder, ['run', '--json'], { SHOP_URL: url, TLS: 'disable' });
  expect(unreachable.status).not.toBe(0);
  for (const { stdout, stderr } of [wrong, unreachable]) {
    expect(stdout + stderr).not.toContain('hunter2');
    expect(stdout + stderr).not.toContain('s3cret');
  }
});

describe('what is wrong with the file is told with its place', () => {
  const cases: [name: string, file: string, text: string, said: string, remedy?: string][] = [
    [
      'an error that it throws',
      'sluice.config.ts',
      `const n: number = 1;\nfunction fail(): never {\n  throw new Error('not today');\n}\nfail();\nexport default n;\n`,
      'not today, at sluice.config.ts:3:9',
    ],
    [
      'an error of ours',
      'sluice.config.ts',
      `import { env } from 'sluice';\n\nexport default env('A B');\n`,
      'env("A B"): a name is letters, digits and "_", and a default holds neither "}" nor "${", at sluice.config.ts:3:16',
    ],
    [
      'TypeScript that is none',
      'sluice.config.ts',
      'export default {\n  a: b c,\n};\n',
      ', at sluice.config.ts:2',
    ],
    [
      'JavaScript that is none',
      'sluice.config.mjs',
      'export default {\n  a: b c,\n};\n',
      ', at sluice.config.mjs:2',
    ],
    [
      'types that are code',
      'sluice.config.ts',
      'enum Load {\n  merge,\n}\nexport default { a: Load.merge };\n',
      'TypeScript enum is not supported in strip-only mode, at sluice.config.ts:1',
      'Node leaves types out and runs the rest as it is: write it without',
    ],
    [
      'an import of something that is not there',
      'sluice.config.ts',
      `import { files, fils } from 'sluice';\nexport default { files, fils };\n`,
      `does not provide an export named 'fils', at sluice.config.ts:1`,
    ],
    [
      'an import without the ending of the file',
      'sluice.config.ts',
      `import { tables } from './tables';\nexport default tables;\n`,
      'Cannot find module',
      'an import names the whole file, with its ending: ./tables.ts',
    ],
  ];
  test.each(cases)('%s', (...[, file, text, said, remedy]) => {
    const { status, stderr } = sluice(project({ [file]: text }), ['plan']);
    const [first, second] = stderr.split('\n');
    expect(status).toBe(2);
    expect(first).toContain(`reading ${file}: `);
    expect(first).toContain(said);
    if (remedy !== undefined) expect(second).toBe(`  ${remedy}`);
  });

  test('an error in a file that it imports', () => {
    const folder = project({
      'sluice.config.ts': `import './more/tables.ts';\nexport default {};\n`,
      'more/tables.ts': `\n\nthrow new Error('no tables');\n`,
    });
    expect(sluice(folder, ['plan']).stderr).toContain('no tables, at more/tables.ts:3:7');
  });

  test('a project beside one in YAML', () => {
    const folder = project({ 'sluice.config.ts': PROJECT, 'sluice.yaml': 'connections: {}\n' });
    const { status, stderr } = sluice(folder, ['plan']);
    expect(status).toBe(2);
    expect(stderr).toContain('there are sluice.yaml and sluice.config.ts');
  });
});

test('a Node that does not run TypeScript is told what to do', () => {
  const folder = project({ 'sluice.config.ts': PROJECT, 'streams.ts': STREAMS });
  // The built package is JavaScript, as on the Node that does not.
  const { status, stderr } = spawnSync(
    process.execPath,
    ['--no-strip-types', join(root, 'dist/cli/main.js'), 'plan'],
    { cwd: folder, encoding: 'utf8', env: { ...process.env, LANDING: '.' } },
  );
  expect({ status, stderr }).toEqual({
    status: 2,
    stderr: `✗ reading sluice.config.ts: Node ${process.versions.node} does not run TypeScript\n  use Node 22.18 or newer, or write the project as sluice.config.mjs or sluice.yaml\n`,
  });
});
