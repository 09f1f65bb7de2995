import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));
const FIXTURE = fileURLToPath(new URL('program.fixture.ts', import.meta.url));

interface Child {
  readonly process: ChildProcess;
  out(): string;
  err(): string;
  /** Exit code, or the name of the signal that ended it. */
  readonly ended: Promise<number | string>;
}

function run(
  script: string,
  args: string[],
  options: { env?: Record<string, string>; node?: string[] } = {},
): Child {
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'], ...options.env };
  const child = spawn(process.execPath, [...(options.node ?? []), script, ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);
  return { process: child, out: () => out, err: () => err, ended };
}

function inline(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

async function until(condition: () => boolean): Promise<void> {
  const end = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('an old Node', () => {
  it.each(['12.22.12', '20.20.2', '22.12.0'])('%s is told so in one line', async (version) => {
    const pretend = inline(
      `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`,
    );
    const child = run(MAIN, ['--help'], { node: ['--import', pretend] });
    expect(await child.ended).toBe(1);
    expect(child.out()).toBe('');
    expect(child.err()).toBe(`sluice needs Node.js 22.13 or newer, this is ${version}: https://nodejs.org\n`);
  });

  it.each(['22.13.0', '26.0.0'])('%s is new enough', async (version) => {
    const pretend = inline(
      `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`,
    );
    const child = run(MAIN, ['--version'], { node: ['--import', pretend] });
    expect(await child.ended).toBe(0);
  });

  it('can read the file that tells it', () => {
    const code = readFileSync(MAIN, 'utf8').replace(/\/\/.*/g, '');
    // Younger than Node 12: operators, static imports of its modules, await outside of functions, numeric separators.
    expect(code).not.toMatch(/\?\?|\?\.|\|\|=|&&=|^import |^export |^await |\d_\d|`/m);
  });
});

describe('a quick start', () => {
  const report = inline(`
    import { registerHooks } from 'node:module';
    const seen = [];
    registerHooks({ load: (url, context, next) => { seen.push(url); return next(url, context); } });
    process.on('exit', () => process.stderr.write(seen.join('\\n')));
  `);

  it.each([[['--help']], [['run', '--help']], [['catalog', '--help']], [['--version']], [['rnu']]])(
    '%j loads no library',
    async (args) => {
      const child = run(MAIN, args, { node: ['--import', report] });
      await child.ended;
      const loaded = child
        .err()
        .split('\n')
        .filter((line) => line.startsWith('file:'));
      expect(loaded.length).toBeGreaterThan(3);
      expect(loaded.filter((url) => url.includes('node_modules'))).toEqual([]);
      expect(
        loaded.filter((url) => /src\/(connectors|engine|catalog|state|duckdb|demo)\//.test(url)),
      ).toEqual([]);
      expect(loaded.filter((url) => url.includes('/cli/commands/'))).toEqual([]);
    },
  );
});

it.skipIf(process.platform !== 'linux')(
  'a full disk under standard output does not stop the work',
  async () => {
    const full = openSync('/dev/full', 'w');
    const stdio = ['ignore', full, 'pipe'] as const;
    const child = spawn(process.execPath, [MAIN, '--help'], { stdio: [...stdio] });
    let err = '';
    child.stderr!.on('data', (chunk: Buffer) => (err += chunk.toString()));
    const [code] = (await once(child, 'close')) as [number];
    closeSync(full);
    expect(err).toBe(
      'writing to standard output: ENOSPC: no space left on device, write; nothing more is printed there\n',
    );
    expect(code).toBe(2);
  },
);

describe('being asked to stop', () => {
  async function started(mode: string, ...args: string[]): Promise<Child> {
    const child = run(FIXTURE, ['run', ...args], { env: { FIXTURE_RUN: mode } });
    let ended = false;
    void child.ended.then(() => (ended = true));
    await until(() => ended || child.err().includes('started') || child.out().includes('stream-started'));
    if (ended) throw new Error(`it did not start: ${child.err()}`);
    return child;
  }

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)('by %s: stops cleanly, reports and exits with %i', async (signal, code) => {
    const child = await started('clean');
    child.process.kill(signal);
    expect(await child.ended).toBe(code);
    expect(child.err()).toContain('stopping at a clean point; press again to stop now');
    expect(child.out()).toContain('■ shop_to_lake   stopped after');
  });

  it('twice: ends at once', async () => {
    const child = await started('deaf');
    child.process.kill('SIGINT');
    await until(() => child.err().includes('press again'));
    child.process.kill('SIGINT');
    expect(await child.ended).toBe(130);
    expect(child.out()).toBe('');
  });

  it('by whoever reads its output: ends quietly', async () => {
    const child = await started('chatty', '--json');
    child.process.stdout?.destroy();
    expect(await child.ended).toBe(0);
    expect(child.err()).toBe('');
  });
});

it('reports a mistake on the command line with code 2', async () => {
  const child = run(MAIN, ['run', '--frobnicate']);
  expect(await child.ended).toBe(2);
  expect(child.out()).toBe('');
  expect(child.err()).toBe('✗ --frobnicate: unknown option\n  usage: sluice run [pipeline…] [options]\n');
});
