import { Readable } from 'node:stream';
import { lakeOptions } from '../connectors/lake/options.ts';
import { postgresOptions } from '../connectors/postgres/options.ts';
import type { Connector } from '../core/connector.ts';
import { ConfigError } from '../core/errors.ts';
import type { ProjectContext } from '../engine/context.ts';
import type { RunReport, StreamReport } from '../engine/types.ts';
import { createStyle } from '../observe/style.ts';
import { runProgram } from './program.ts';
import type { Services } from './services.ts';
import type { Terminal } from './terminal.ts';

/** A terminal that keeps what is written. Answers are taken one by one; without any, nobody is there to ask. */
function fakeTerminal(answers: string[] = []): { terminal: Terminal; out(): string; err(): string } {
  let out = '';
  let err = '';
  const terminal: Terminal = {
    stdin: Readable.from([]),
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
    style: createStyle(false),
    noteStyle: createStyle(false),
    interactive: answers.length > 0,
    print: (text) => {
      out += `${text}\n`;
    },
    note: (text) => {
      err += `${text}\n`;
    },
    attach: () => undefined,
    ask: (question, fallback) => {
      err += `${question}\n`;
      const answer = answers.shift();
      if (answer === undefined) throw new Error(`nobody answers "${question}"`);
      return Promise.resolve(answer === '' ? fallback : answer);
    },
  };
  return { terminal, out: () => out, err: () => err };
}

/** Services that fail unless a test gives them. */
export function fakeServices(given: Partial<Services>): Services {
  return new Proxy(
    { env: {}, connectors: () => Promise.resolve(fakeConnectors()), ...given },
    {
      get(target: Partial<Services>, name: keyof Services) {
        return target[name] ?? (() => Promise.reject(new Error(`the test gives no "${name}"`)));
      },
    },
  ) as Services;
}

/** PostgreSQL and the lake with their real options and nothing behind them. */
export function fakeConnectors(): ReadonlyMap<string, Connector> {
  const source = { source: true, destination: false, atomicCommit: true };
  const postgres: Connector = {
    name: 'postgres',
    title: 'PostgreSQL',
    summary: '',
    options: postgresOptions,
    capabilities: source,
    fromUrl: (url) => (url.startsWith('postgres://') ? { url } : undefined),
  };
  const lake: Connector = {
    name: 'lake',
    title: 'Parquet lake',
    summary: '',
    options: lakeOptions,
    capabilities: { ...source, source: false, destination: true },
    fromUrl: (url) => (url.includes('://') ? undefined : { path: url }),
    openStorage: () => Promise.reject(new Error('not here')),
  };
  return new Map([postgres, lake].map((connector) => [connector.name, connector]));
}

export function fakeContext(overrides: Partial<ProjectContext['project']> = {}): ProjectContext {
  return {
    project: {
      directory: '/project',
      connections: { shop: { type: 'postgres' }, lake: { type: 'lake' } },
      pipelines: { shop_to_lake: { from: 'shop', to: 'lake', streams: { 'public.*': {} } } },
      state: { type: 'sqlite', path: '.sluice/state.db' },
      memoryBytes: 512 * 2 ** 20,
      ...overrides,
    },
    connectors: fakeConnectors(),
  };
}

export function streamReport(stream: string, overrides: Partial<StreamReport> = {}): StreamReport {
  return {
    stream,
    table: stream,
    status: 'loaded',
    totals: {
      rows: 412,
      bytes: 40_000,
      loaded: 412,
      written: 12_000,
      quarantined: 0,
      skipped: 0,
      retries: 0,
      coerced: {},
      seconds: 0.2,
    },
    watermark: '2026-07-25 01:00:02.004411+00',
    changes: [],
    warnings: [],
    verification: undefined,
    error: undefined,
    ...overrides,
  };
}

export function runReport(overrides: Partial<RunReport> = {}): RunReport {
  return {
    run: 'shop_to_lake/2026-07-25T01:00:00Z',
    pipeline: 'shop_to_lake',
    from: 'shop',
    to: 'lake',
    status: 'succeeded',
    startedAt: '2026-07-25T01:00:00Z',
    seconds: 1.4,
    peakRssBytes: 212_000_000,
    retries: 0,
    alerts: [],
    streams: [streamReport('public.customers')],
    ...overrides,
  };
}

/** Runs a command line with fakes; `aborted` is as after Ctrl-C. */
export async function runWith(
  args: readonly string[],
  given: Partial<Services>,
  answers: string[] = [],
  signal: AbortSignal = new AbortController().signal,
): Promise<{ code: number; out: string; err: string }> {
  const fake = fakeTerminal(answers);
  const stop = { signal, exitCode: () => 130 };
  const openProject: Services['openProject'] = (path) => {
    if (path === 'missing') throw new ConfigError('"missing": no such project', { code: 'config.missing' });
    return Promise.resolve(fakeContext());
  };
  const code = await runProgram(args, {
    terminal: fake.terminal,
    stop,
    services: fakeServices({ openProject, ...given }),
  });
  return { code, out: fake.out(), err: fake.err() };
}
