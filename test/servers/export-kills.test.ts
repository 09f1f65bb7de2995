/** Exports that die at every change of the disk: what is there is whole, old or new, and the next run completes and tidies. */
import path from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Exports } from '../support/exports.ts';
import { killedAt } from '../support/killed-at.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

let url: string;
let db: pg.Client;
beforeAll(async () => {
  url = await server().createDatabase('kills');
  db = new pg.Client(url);
  await db.connect();
});
afterAll(() => db.end());

/** Whether the process was killed, before a change in the folder of the exports. */
function killed(to: Exports, n: number, ...more: string[]): Promise<boolean> {
  return killedAt(to, n, { args: ['run', ...more], on: `^${to.out}/` });
}

/** Some bytes that a storage has written beside their place are swept by itself, in a day. */
function left(to: Exports): string[] {
  return to.everything().filter((name) => !path.basename(name).startsWith('.sluice-unfinished-'));
}

it('a snapshot is the old one or the new one', async () => {
  await db.query('CREATE TABLE t (id int, round int, v text)');
  await using to = new Exports(
    { type: 'postgres', url, slice_size: '1 MB' },
    { 'public.t': { export: 't.csv.gz' } },
  );
  const write = (round: number): Promise<unknown> =>
    db.query(
      `TRUNCATE t; INSERT INTO t SELECT i, ${round}, repeat('x', 500) FROM generate_series(1, 5000) i; ANALYZE t`,
    );
  await write(0);
  expect((await to.plan()).streams[0]!.slices.length).toBeGreaterThan(1);
  await to.run();
  let before = to.text('t.csv.gz');
  for (let n = 1; ; n++) {
    await write(n);
    const ended = !(await killed(to, n));
    expect(to.files()).toEqual(['t.csv.gz']);
    const rounds = new Set(
      to
        .text('t.csv.gz')
        .trimEnd()
        .split('\n')
        .slice(1)
        .map((line) => line.split(',')[1]),
    );
    expect(rounds.size).toBe(1);
    expect(to.text('t.csv.gz').length).toBeGreaterThan(5000 * 500);
    if (!rounds.has(String(n))) expect(to.text('t.csv.gz')).toBe(before);
    if (ended) {
      expect(n).toBeGreaterThan(3);
      expect([...rounds]).toEqual([String(n)]);
      break;
    }
    await to.run();
    before = to.text('t.csv.gz');
    expect(before).toMatch(new RegExp(`\\n5000,${n},`));
    // What the dead process has left is gone.
    expect(left(to)).toEqual(['t.csv.gz']);
  }
});

it('days are whole, and each is there once all are', async () => {
  await db.query(
    `CREATE TABLE d AS SELECT i AS id, date '2026-07-20' + i % 3 AS day, 0 AS round FROM generate_series(1, 300) i`,
  );
  await using to = new Exports(
    { type: 'postgres', url },
    { 'public.d': { date: 'day', export: '{table}_{date}.jsonl' } },
  );
  const days = ['20', '21', '22'].map((day) => `d_202607${day}.jsonl`);
  const window = { from: '2026-07-20', to: '2026-07-23' };
  let n = 0;
  for (let ended = false; !ended;) {
    await db.query(`UPDATE d SET round = ${++n}`);
    ended = !(await killed(to, n, '--from', window.from, '--to', window.to));
    for (const name of to.files()) {
      expect(days).toContain(name);
      const lines = to.text(name).trimEnd().split('\n');
      expect(lines).toHaveLength(100);
      expect(new Set(lines.map((line) => (JSON.parse(line) as { round: number }).round)).size).toBe(1);
    }
    if (!ended) await to.run({ window });
    expect(to.files()).toEqual(days);
    for (const name of days) expect(to.text(name)).toContain(`"round":${n}}`);
    expect(left(to).filter((each) => each.startsWith('_sluice/'))).toEqual([
      expect.stringMatching(/^_sluice\/exports\/d\/\d{20}\.json$/),
    ]);
  }
  expect(n).toBeGreaterThan(8);
});
