/** Records of an API, page by page, against a program that fetches and parses the same pages and throws them away. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { BenchContext, BenchOutcome } from './context.ts';
import { createProject, type EngineRun, postgresAt, runEngine } from './engine.ts';
import { measure, type Usage } from './measure.ts';
import { boundsOf, type Pair, pairedOutcome } from './paired.ts';
import { count } from './report.ts';
import { emptyDatabase, targetUrl } from './to-postgres.ts';

const RECORDS = 1_000_000;
const QUICK_RECORDS = 20_000;
export const API_PAGE = 10_000;
const TARGETS = { ratio: 1.5, peakMb: 300 };

interface Api extends AsyncDisposable {
  url: string;
}

export async function startApi(records: number): Promise<Api> {
  const program = fileURLToPath(new URL('./api-server.ts', import.meta.url));
  const child = spawn(process.execPath, [program, String(records)], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const [url] = (await once(lines, 'line')) as [string];
  const stop = async (): Promise<void> => {
    const ended = once(child, 'exit');
    child.stdin.end();
    await ended;
  };
  return { url, [Symbol.asyncDispose]: stop };
}

/** As a connection of type rest has it. */
export function apiEndpoint(): string {
  return `{ path: /tenants, records: data, key: id, paging: { by: page, size_param: per_page, size: ${API_PAGE} } }`;
}

export function benchFromApi(to: 'pg' | 'duckdb'): (context: BenchContext) => Promise<BenchOutcome> {
  return async (context) => {
    const { quick, say, server, signal, folder } = context;
    const records = quick ? QUICK_RECORDS : RECORDS;
    await using api = await startApi(records);
    const url = `${api.url}/tenants?per_page=${API_PAGE}`;
    const fetchAll = async (): Promise<Usage> => {
      const program = fileURLToPath(new URL('./fetch-pages.ts', import.meta.url));
      const found = await measure(
        { program: process.execPath, args: [program, url], output: true },
        { server: server.pid, signal },
      );
      if (Number(found.output) !== records) throw new Error(`the API gave ${found.output} records`);
      return found;
    };
    say(`making ${count(records)} records in pages of ${count(API_PAGE)}`);
    await fetchAll();
    const pairs: Pair[] = [];
    for (let i = 0; i < context.pairs; i++) {
      say(`pair ${i + 1} of ${context.pairs}`);
      const limit = await fetchAll();
      if (to === 'pg') await emptyDatabase(server);
      const project = await createProject(join(folder, 'project'), {
        source: `{ type: rest, url: "${api.url}", endpoints: { tenants: ${apiEndpoint()} } }`,
        target: to === 'pg' ? postgresAt(targetUrl(server)) : '{ type: duckdb, path: ./target.duckdb }',
        streams: { tenants: '{ load: merge }' },
      });
      const engine: EngineRun = await runEngine(project, { server: server.pid, signal });
      if (engine.loaded !== records) throw new Error(`a run loaded ${count(engine.loaded)} rows`);
      pairs.push({ limit, engine });
    }
    const { rows, wireBytes } = pairs[0]!.engine;
    return pairedOutcome({
      bench: to === 'pg' ? 'rest-to-pg' : 'rest-to-duckdb',
      quick,
      pairs,
      title: `${count(rows)} records × 20 fields in pages of ${count(API_PAGE)}`,
      figures: { rows },
      moved: rows,
      wireBytes,
      limit: { name: 'fetch and JSON.parse' },
      verified: rows,
      compared: (compared) => `${compared} records counted`,
      targets: boundsOf(TARGETS),
    });
  };
}
