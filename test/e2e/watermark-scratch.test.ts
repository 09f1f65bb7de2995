import { expect, it } from 'vitest';
import { useServer } from '../support/server.ts';
import { Pair } from '../support/pair.ts';

const server = useServer();
it('runs', async () => {
  await using pair = await Pair.open(server(), { 'public.t': { cursor: 'updated_at', load: 'append' } },
   `CREATE TABLE t (id int primary key, v text, updated_at timestamptz NOT NULL DEFAULT now()); CREATE INDEX ON t(updated_at); INSERT INTO t SELECT g, 'v' || g, now() - interval '1 hour' FROM generate_series(1, 1000) g`);
  for (let i = 0; i < 6; i++) {
    let t = performance.now();
    const r = await pair.run();
    console.log(i, r.status, r.totals.loaded, Math.round(performance.now() - t), 'ms', JSON.stringify((await pair.state('t'))!.checkpoint));
    t = performance.now();
    await pair.expectEqual('t');
    console.log('compare', Math.round(performance.now() - t));
    if (i > 1) await pair.db.query(`UPDATE t SET v = v || 'x', updated_at = now() WHERE id % 10 = ${i}`);
  }
  expect(1).toBe(1);
});
