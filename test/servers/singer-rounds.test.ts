/** What a tap brings is loaded in rounds while it brings more; each round is committed with how far the tap was. */
import { expect, it } from 'vitest';
import { connectors } from '../../src/connectors/registry.ts';
import { RecordsSource } from '../../src/connectors/shared/records/records-source.ts';
import { singerOptions } from '../../src/connectors/singer/options.ts';
import { TapFeed } from '../../src/connectors/singer/tap-feed.ts';
import type { Connector } from '../../src/core/connector.ts';
import type { TableWriter } from '../../src/core/destination.ts';
import { TransientError } from '../../src/core/errors.ts';
import { runPipeline } from '../../src/engine/run.ts';
import type { RunOptions } from '../../src/engine/types.ts';
import type { StreamReport } from '../../src/index.ts';
import { schema, TapLake } from '../support/tap-lake.ts';

const ROWS = 9000;
const SCHEMA = schema({ id: { type: 'integer' }, filler: { type: 'string' } });
const rows = (from: number, to: number = ROWS): object => ({ do: 'rows', from, to, bytes: 2000, every: 100 });

class Rounds extends TapLake {
  /** Called before each commit with rows. */
  beforeCommit: (commits: number) => void = () => undefined;
  commits = 0;

  constructor() {
    super({ load: 'merge' });
  }

  /** With rounds of 5 MB. */
  async load(options: RunOptions = {}): Promise<StreamReport> {
    const context = await this.context();
    const known = new Map(await connectors());
    const [singer, lake] = [known.get('singer')!, known.get('lake')!];
    known.set('singer', {
      ...singer,
      openSource: async (given, place) =>
        new RecordsSource(new TapFeed(singerOptions.parse(given), place), place, 5_000_000),
    } satisfies Connector);
    known.set('lake', {
      ...lake,
      openDestination: async (given, place) => {
        const destination = await lake.openDestination!(given, place);
        const openTable = destination.openTable.bind(destination);
        destination.openTable = async (...args) => this.#watched(await openTable(...args));
        return destination;
      },
    } satisfies Connector);
    const report = await runPipeline({ ...context, connectors: known }, 'p', options);
    return report.streams[0]!;
  }

  #watched(writer: TableWriter): TableWriter {
    const commit = writer.commit.bind(writer);
    writer.commit = async (loads, ...rest) => {
      if (loads.length > 0) this.beforeCommit(++this.commits);
      return commit(loads, ...rest);
    };
    return writer;
  }

  async found(): Promise<unknown> {
    return (await this.query('SELECT count(*), count(DISTINCT id), max(id) FROM t'))[0];
  }
}

it('loads in rounds, and all at once when all is loaded again', async () => {
  await using pair = new Rounds();
  pair.say = [SCHEMA, rows(1)];
  expect(await pair.load()).toMatchObject({ status: 'loaded', totals: { rows: ROWS } });
  expect(pair.commits).toBeGreaterThan(2);
  expect(await pair.found()).toEqual([ROWS, ROWS, ROWS]);
  await pair.load({ fullRefresh: true });
  expect(await pair.found()).toEqual([ROWS, ROWS, ROWS]);
  expect(pair.seen.map(({ state }) => state)).toEqual([undefined, undefined]);
});

it('loads a round again whose commit has failed, and no other one', async () => {
  await using pair = new Rounds();
  pair.say = [SCHEMA, rows(1)];
  pair.beforeCommit = (commits) => {
    if (commits === 2)
      throw new TransientError('the connection is lost', { code: 'test.lost', next: 'at-once' });
  };
  expect(await pair.load()).toMatchObject({ status: 'loaded', totals: { retries: 1 } });
  expect(await pair.found()).toEqual([ROWS, ROWS, ROWS]);
  expect(pair.seen).toHaveLength(1);
});

it('goes on from the last round when it was stopped', async () => {
  await using pair = new Rounds();
  pair.say = [SCHEMA, rows(1)];
  const stop = new AbortController();
  pair.beforeCommit = (commits) => {
    if (commits === 2) stop.abort();
  };
  expect(await pair.load({ signal: stop.signal })).toMatchObject({ status: 'stopped' });
  pair.beforeCommit = () => undefined;
  const [count] = (await pair.found()) as [number];
  pair.say = [SCHEMA, rows(count)];
  expect(await pair.load()).toMatchObject({ status: 'loaded' });
  expect(await pair.found()).toEqual([ROWS, ROWS, ROWS]);
  const state = Number(pair.seen.at(-1)!.state);
  // Not further than what is there, and not much behind it.
  expect(count - state).toBeGreaterThanOrEqual(0);
  expect(count - state).toBeLessThan(200);
});

it('of a tap that dies, rounds that are loaded count up to its last STATE', async () => {
  await using pair = new Rounds();
  pair.say = [SCHEMA, rows(1, 8050), { do: 'exit', code: 1 }];
  expect(await pair.load()).toMatchObject({ status: 'failed' });
  pair.say = [SCHEMA, rows(8000)];
  expect(await pair.load()).toMatchObject({ status: 'loaded' });
  expect(pair.seen.map(({ state }) => state).at(-1)).toBe('8000');
  expect(await pair.found()).toEqual([ROWS, ROWS, ROWS]);
});
