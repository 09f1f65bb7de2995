/** Several runs, or several streams of one run, at the same time. */
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import type { SluiceError } from '../../src/core/errors.ts';
import { runPipeline } from '../../src/engine/run.ts';
import { resetStream } from '../../src/engine/state-ops.ts';
import type { RunReport } from '../../src/engine/types.ts';
import { pauseAt } from '../../guarantees/pause.ts';
import { Pair, type Streams } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

const SQL = `
  CREATE TABLE t (id int PRIMARY KEY, v text, at timestamptz NOT NULL DEFAULT now()); CREATE INDEX ON t (at);
  INSERT INTO t SELECT g, 'x', now() - interval '1 hour' FROM generate_series(1, 300) g`;
const STREAMS: Streams = { 'public.t': { cursor: 'at', overlap: 0 } };

/** As if its holder had not been heard of for longer than its lease. */
function expireLeases(pair: Pair): void {
  const database = new DatabaseSync(path.join(pair.folder, '.sluice/state.db'));
  expect(database.prepare('UPDATE lease SET expires_at = 1 WHERE held = 1').run().changes).toBe(1);
  database.close();
}

it('the second of two runs is told who holds the stream, and the first goes on', async () => {
  await using pair = await Pair.open(server(), STREAMS, SQL);
  const context = await pair.context();
  let second: Promise<RunReport> | undefined;
  let reset: Promise<unknown> | undefined;
  const first = await pair.attempt({
    onEvent: (event) => {
      if (event.kind !== 'slice-started') return;
      second ??= runPipeline(context, 'p', {});
      reset ??= resetStream(context, 'p', 'public.t').catch(({ code }: SluiceError) => code);
    },
  });
  expect(first.status).toBe('succeeded');
  const report = await second!;
  expect(report).toMatchObject({
    status: 'failed',
    streams: [{ error: { code: 'lease.held', recovery: 'conflict' } }],
  });
  // Nobody looks at the table while it is being loaded.
  expect(await reset).toBe('lease.held');
  expect(report.streams[0]!.error!.message).toContain(first.run);
  expect(report.streams[0]!.error!.message).toContain(String(process.pid));
  await pair.expectEqual('t');
  await pair.expectNoRepeats('t');
});

describe('a run that slept while another one took its stream over', () => {
  it.each([
    'event:slice-started:1',
    'event:step/staged:1',
    'event:step/publish:1',
    'before:upload:1',
    'before:commit:1',
  ])('cannot commit any more: %s', async (moment) => {
    await using pair = await Pair.open(server(), STREAMS, SQL);
    await pair.run();
    await pair.db.query(`UPDATE t SET v = 'y', at = now() WHERE id <= 10`);
    const sleeper = await pauseAt(pair, moment);
    expireLeases(pair);
    await pair.db.query(`UPDATE t SET v = 'z', at = now() WHERE id <= 5`);
    expect((await pair.run()).totals.loaded).toBe(10);
    const { version } = (await pair.state('t'))!;
    const [outcome] = await sleeper.goOn();
    expect(outcome!.status).toBe('failed');
    expect(['lake.fenced', 'lake.conflict', 'lake.swept']).toContain(outcome!.code);
    expect((await pair.state('t'))!.version).toBe(version);
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
    await pair.run();
    await pair.expectNoRepeats('t');
  });

  it('cannot bring its first load any more, either', async () => {
    await using pair = await Pair.open(server(), STREAMS, SQL);
    const sleeper = await pauseAt(pair, 'before:commit:1');
    expireLeases(pair);
    await pair.run();
    expect((await sleeper.goOn())[0]).toMatchObject({ status: 'failed' });
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  });

  it('right after its commit has done its work, and the other one finds nothing to do', async () => {
    await using pair = await Pair.open(server(), { 'public.t': { cursor: 'at', overlap: 0 } }, SQL);
    await pair.run();
    await pair.db.query(`UPDATE t SET v = 'y', at = now() WHERE id <= 10`);
    const sleeper = await pauseAt(pair, 'after:commit:1');
    expireLeases(pair);
    expect((await pair.run()).totals.loaded).toBe(0);
    expect((await sleeper.goOn())[0]).toMatchObject({ status: 'loaded' });
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  });
});

it('projects that do not know of each other load one table exactly once', async () => {
  await using pair = await Pair.open(server(), STREAMS, SQL);
  await using stranger = await Pair.open(server(), STREAMS);
  stranger.source = { url: pair.url };
  stranger.lake = { path: path.join(pair.folder, 'lake') };
  for (let round = 0; round < 4; round++) {
    await pair.db.query(`UPDATE t SET v = v || 'y', at = now() WHERE id % 7 = ${round}`);
    const reports = await Promise.all([pair.attempt(), stranger.attempt()]);
    for (const { streams } of reports)
      if (streams[0]!.error) expect(streams[0]!.error).toMatchObject({ recovery: 'conflict' });
    expect(reports.some(({ status }) => status === 'succeeded')).toBe(true);
  }
  await pair.run();
  await pair.expectEqual('t');
  await pair.expectNoRepeats('t');
});

it('streams that are loaded side by side do not get into each other', async () => {
  const names = ['a', 'b', 'c', 'd'];
  await using pair = await Pair.open(
    server(),
    Object.fromEntries(
      names.map((name, i) => [
        `public.${name}`,
        {
          cursor: 'at',
          overlap: 0,
          load: i % 2 ? ('merge' as const) : ('append' as const),
          ...(i > 1 && { partition_by: { column: 'at', by: 'hour' as const } }),
        },
      ]),
    ),
    names
      .map((name, i) =>
        SQL.replaceAll(' t ', ` ${name} `)
          .replace('ON t', `ON ${name}`)
          .replace(`'x'`, `'${name}' || g`)
          .replace('300', String(3000 * (i + 1))),
      )
      .join(';'),
  );
  pair.source = { slice_size: 64_000 };
  for (let round = 0; round < 3; round++) {
    const report = await pair.attempt({ workers: 3 });
    expect(report.streams.map(({ error }) => error)).toEqual(names.map(() => undefined));
    for (const name of names) {
      await pair.expectEqual(name);
      await pair.expectNoRepeats(name);
    }
    for (const name of names)
      await pair.db.query(`UPDATE ${name} SET v = v || '!', at = now() WHERE id % 5 = ${round}`);
  }
});
