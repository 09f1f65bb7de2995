import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectors } from '../connectors/registry.ts';
import { loadProject } from '../config/load-project.ts';
import { planPipeline } from '../engine/plan.ts';
import { createStyle } from '../observe/style.ts';
import { type DemoOptions, type DemoReport, runDemo } from './demo.ts';
import { programName, type Screen } from './demo-text.ts';

const scratch = mkdtempSync(path.join(tmpdir(), 'sluice-demo-test-'));
// A server started by root runs under another account.
chmodSync(scratch, 0o755);
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Collects what is shown. */
function fakeScreen(): Screen & { text(): string } {
  let text = '';
  const style = createStyle(false);
  return {
    style,
    noteStyle: style,
    stderr: { write: () => true },
    print: (line) => (text += `${line}\n`),
    attach: () => undefined,
    text: () => text,
  };
}

function demoOptions(given: Partial<DemoOptions> = {}): DemoOptions {
  return {
    directory: undefined,
    rows: 5_000,
    quick: false,
    keep: false,
    json: false,
    signal: new AbortController().signal,
    screen: fakeScreen(),
    ...given,
  };
}

/** Folders of demos and their servers that this process has made; a copy of the binaries may stay until it ends. */
function leftovers(): string[] {
  const made = readdirSync(tmpdir()).filter((name) => name.startsWith(`sluice-pg-${process.pid}-`));
  return made.filter((name) => !existsSync(path.join(tmpdir(), name, 'native')));
}

const kept = path.join(scratch, 'kept');
const screen = fakeScreen();
let report: DemoReport;

beforeAll(async () => {
  report = (await runDemo(demoOptions({ directory: kept, screen })))!;
});

test('shop and lake are equal at the end, table by table', () => {
  expect(report.equal).toBe(true);
  expect(report.tables.map(({ table, equal }) => [table, equal])).toEqual([
    ['countries', true],
    ['customers', true],
    ['orders', true],
    ['order_items', true],
  ]);
  expect(report.tables.map(({ rows }) => rows.lake)).toEqual(report.tables.map(({ rows }) => rows.database));
  expect(report.rows).toBeGreaterThan(4_000);
  expect(report.rows).toBeLessThan(6_000);
});

test('after the first load only changes are read, and nothing is there twice', () => {
  const [first, ...later] = report.loads;
  expect(later.map(({ load }) => load)).toEqual(['1', '2', '3', '4', 'after the day', 'once more']);
  expect(first?.read).toBe(report.rows - 15);
  for (const { read, rows } of later) expect(read).toBeLessThan(rows / 3);
  expect(report.loads.map(({ doubled }) => doubled)).toEqual(report.loads.map(() => 0));
  expect(later.at(-1)?.loaded).toBe(0);
  const { inserted, updated } = report.day;
  const loaded = later.reduce((sum, load) => sum + load.loaded, 0);
  expect(inserted + updated).toBe(200);
  // A row that changed twice between two loads is loaded once; the new column touches every tenth customer.
  expect(loaded).toBeGreaterThan(inserted);
  expect(loaded).toBeLessThanOrEqual(inserted + updated + 30);
});

test('the column that was added during the day is noticed by the next load', () => {
  expect(report.loads.map(({ changes }) => changes)).toEqual([
    [],
    [],
    [],
    ['customers + loyalty_tier utf8'],
    [],
    [],
    [],
  ]);
});

test('the story has its chapters, the answer to the question, and where to look next', () => {
  const text = screen.text();
  expect([...text.matchAll(/^\d {2}(.+)$/gm)].map(([, title]) => title)).toEqual([
    'A shop',
    'The first load takes everything',
    'A day in the shop, with loads while it is open',
    'The proof: shop and lake agree, row for row',
    'A question to the lake; the database is not asked',
  ]);
  expect(text).toContain(readFileSync(path.join(kept, 'sluice.yaml'), 'utf8').split('\n')[1]);
  expect(text).toMatch(/customers has a new column: loyalty_tier/);
  expect(text).toMatch(/^ +\d{4}-\d\d +\d+ +\d+ +\d+ +\d+\.\d\d$/m);
  expect(text).toMatch(/✓ Shop and lake are equal; the demo took /);
  expect(text).toContain(`plan --project ${kept}`);
  // Wider lines would be broken by a terminal; a longer path is not the demo's.
  expect(text.split('\n').filter((line) => line.length > 120 && !line.includes(scratch))).toEqual([]);
});

test('a kept demo is opened again, and a plan finds nothing new', async () => {
  const stop = new AbortController();
  const again = fakeScreen();
  const opened = runDemo(demoOptions({ directory: kept, screen: again, signal: stop.signal }));
  await expect.poll(() => again.text(), { timeout: 20_000 }).toContain('until Ctrl-C');
  const known = await connectors();
  const context = { project: await loadProject({ directory: kept, connectors: known }), connectors: known };
  const { streams } = await planPipeline(context, 'shop_to_lake', {});
  expect(streams.map(({ error }) => error)).toEqual([undefined, undefined, undefined, undefined]);
  expect(streams.map(({ watermark }) => watermark.before === undefined)).toEqual([true, false, false, false]);
  stop.abort();
  expect(await opened).toBeUndefined();
  expect(existsSync(path.join(kept, 'database/postmaster.pid'))).toBe(false);
});

test('without a directory nothing is left behind', async () => {
  const silent = fakeScreen();
  const passing = await runDemo(demoOptions({ rows: 100, json: true, screen: silent }));
  expect(passing).toMatchObject({ equal: true, folder: undefined });
  expect(silent.text()).toBe('');
  expect(leftovers()).toEqual([]);
});

test.each([
  ['while the shop is filled', 'Filling it'],
  ['while everything is loaded', 'sluice run'],
  ['during the day', 'rows in the lake'],
  ['during the proof', 'The proof'],
])('a demo that is stopped %s removes what it made', async (_when, words) => {
  const stop = new AbortController();
  const stopping = fakeScreen();
  const stopAt: Screen = {
    ...stopping,
    print: (text) => {
      stopping.print(text);
      // What was announced has begun then, and waits for its first answer.
      if (text.includes(words)) setImmediate(() => stop.abort());
    },
  };
  const folder = path.join(scratch, 'stopped');
  const stopped = runDemo(
    demoOptions({ rows: 1_000, directory: folder, screen: stopAt, signal: stop.signal }),
  );
  await expect(stopped).rejects.toMatchObject({ recovery: 'cancelled' });
  expect(existsSync(folder)).toBe(false);
  expect(leftovers()).toEqual([]);
});

test('a demo whose process is killed leaves no server and no folder behind', async () => {
  const program = path.join(import.meta.dirname, '../cli/main.ts');
  const child = spawn(process.execPath, [program, 'demo', '--quick'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await expect.poll(() => text, { timeout: 50_000 }).toContain('rows in the lake');
  child.kill('SIGKILL');
  await once(child, 'exit');
  const left = (): string[] =>
    readdirSync(tmpdir()).filter((name) => name.startsWith(`sluice-pg-${child.pid}-`));
  await expect.poll(left, { timeout: 10_000 }).toEqual([]);
});

test.runIf(process.getuid?.() === 0)(
  'root can have a demo in a folder that only root may enter',
  async () => {
    const closed = path.join(scratch, 'closed');
    mkdirSync(closed, { mode: 0o700 });
    const folder = path.join(closed, 'demo');
    expect(await runDemo(demoOptions({ rows: 100, directory: folder }))).toMatchObject({ equal: true });
    const database = realpathSync(path.join(folder, 'database'));
    expect(database.startsWith(scratch)).toBe(false);
    rmSync(path.dirname(database), { recursive: true });
  },
);

test('a folder with something in it is not touched', async () => {
  const folder = path.join(scratch, 'mine');
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'letter.txt'), 'dear');
  await expect(runDemo(demoOptions({ directory: folder }))).rejects.toMatchObject({ code: 'demo.not_empty' });
  expect(readdirSync(folder)).toEqual(['letter.txt']);
});

test('commands are shown as this program was started', () => {
  const name = (script: string): string => programName(['node', script], '/opt/node/bin/node');
  expect(name('/home/me/project/node_modules/.bin/sluice')).toBe('npx sluice');
  expect(name('/home/me/project/node_modules/sluice/dist/cli/main.js')).toBe('npx sluice');
  expect(name('/usr/local/bin/sluice')).toBe('sluice');
  expect(name(path.join(process.cwd(), 'dist/cli/main.js'))).toBe('/opt/node/bin/node dist/cli/main.js');
});
