/** Cursors that tell nothing about time: rising numbers, and PostgreSQL's own transaction ids. */
import { describe, expect, it } from 'vitest';
import { Pair } from '../support/pair.ts';
import { useServer } from '../support/server.ts';

const server = useServer();

describe('a rising id', () => {
  const SQL = `CREATE TABLE t (id int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
    INSERT INTO t (v) SELECT 'old' FROM generate_series(1, 20)`;
  const open = (): Promise<Pair> => Pair.open(server(), { 'public.t': { cursor: 'id' } }, SQL);

  it('that was drawn early and committed late is found', async () => {
    await using pair = await open();
    await pair.run();
    const slow = await pair.connect();
    await slow.query(`BEGIN; INSERT INTO t (v) VALUES ('slow')`);
    for (let round = 0; round < 3; round++) {
      await pair.db.query(`INSERT INTO t (v) VALUES ('quick')`);
      expect((await pair.run()).totals.loaded).toBe(1);
    }
    await slow.query('COMMIT');
    expect((await pair.run()).totals.loaded).toBe(1);
    expect((await pair.run()).totals.loaded).toBe(0);
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  });

  it('that an idle transaction has drawn but not yet written is found', async () => {
    await using pair = await open();
    const idle = await pair.connect();
    const { rows } = await idle
      .query<{ id: string }>(`BEGIN`)
      .then(() => idle.query<{ id: string }>(`SELECT nextval('t_id_seq') AS id`));
    await pair.db.query(`INSERT INTO t (v) VALUES ('quick')`);
    await pair.run();
    await pair.run();
    await idle.query(`INSERT INTO t OVERRIDING SYSTEM VALUE VALUES (${rows[0]!.id}, 'idle'); COMMIT`);
    expect((await pair.run()).totals.loaded).toBe(1);
    await pair.expectEqual('t');
  });

  it('is found when transactions overlap so that somebody is always open', async () => {
    await using pair = await open();
    let before = await pair.connect();
    await before.query(`BEGIN; INSERT INTO t (v) VALUES ('round 0')`);
    for (let round = 1; round < 5; round++) {
      const next = await pair.connect();
      await next.query(`BEGIN; INSERT INTO t (v) VALUES ('round ${round}')`);
      await pair.db.query(`INSERT INTO t (v) VALUES ('quick')`);
      await pair.run();
      await before.query('COMMIT');
      await before.end();
      before = next;
    }
    await before.query('COMMIT');
    await pair.run();
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
    // With everybody gone the watermark catches up.
    await pair.run();
    const { checkpoint } = (await pair.state('t'))!;
    expect(checkpoint!.watermark).toBe(checkpoint!.high);
  });

  it('rises at once where nobody else is at work, and nothing is read again', async () => {
    await using pair = await open();
    await pair.run();
    const { checkpoint, version } = (await pair.state('t'))!;
    expect(checkpoint).toMatchObject({ watermark: '20', high: '20' });
    expect((await pair.run()).totals).toMatchObject({ rows: 0, loaded: 0 });
    expect((await pair.state('t'))!.version).toBe(version);
  });

  it('that clients draw in blocks is found within the overlap', async () => {
    await using pair = await open();
    pair.streams['public.t']!.overlap = 3600;
    await pair.db.query(`INSERT INTO t OVERRIDING SYSTEM VALUE VALUES (1000, 'next block')`);
    await pair.run();
    await pair.run();
    await pair.db.query(`INSERT INTO t OVERRIDING SYSTEM VALUE VALUES (500, 'from the block before')`);
    expect((await pair.run()).totals.loaded).toBe(1);
    await pair.expectEqual('t');
  });
});

describe('xmin', () => {
  const SQL = `CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT g, 'old' FROM generate_series(1, 100) g`;
  const open = (sql: string = SQL): Promise<Pair> =>
    Pair.open(server(), { 'public.t': { cursor: 'xmin' } }, sql);

  it('finds what changed in a table without any timestamp', async () => {
    await using pair = await open();
    expect((await pair.run()).totals.loaded).toBe(100);
    const { version } = (await pair.state('t'))!;
    expect((await pair.run()).status).toBe('nothing-new');
    expect((await pair.state('t'))!.version).toBe(version);
    await pair.db.query(`UPDATE t SET v = 'new' WHERE id <= 3; INSERT INTO t VALUES (101, 'new')`);
    expect((await pair.run()).totals).toMatchObject({ rows: 4, loaded: 4 });
    await pair.expectEqual('t');
  });

  it('finds late commits, also of savepoints and of prepared transactions', async () => {
    await using pair = await open();
    await pair.run();
    const [slow, prepared] = [await pair.connect(), await pair.connect()];
    await slow.query(
      `BEGIN; UPDATE t SET v = 'slow' WHERE id = 1; SAVEPOINT a; UPDATE t SET v = 'sub' WHERE id = 2; SAVEPOINT b; UPDATE t SET v = 'gone' WHERE id = 3`,
    );
    await prepared.query(`BEGIN; UPDATE t SET v = 'prepared' WHERE id = 4; PREPARE TRANSACTION 'xmin'`);
    await pair.db.query(`UPDATE t SET v = 'quick' WHERE id = 5`);
    expect((await pair.run()).totals.loaded).toBe(1);
    await slow.query('ROLLBACK TO SAVEPOINT b; COMMIT');
    await pair.db.query(`UPDATE t SET v = 'quick' WHERE id = 6`);
    expect((await pair.run()).totals.loaded).toBe(3);
    await prepared.query(`COMMIT PREPARED 'xmin'`);
    expect((await pair.run()).totals.loaded).toBe(1);
    await pair.expectEqual('t');
    await pair.expectNoRepeats('t');
  });

  it('counts equal rows of a table without a key', async () => {
    await using pair = await open(
      `CREATE TABLE t (v text); INSERT INTO t SELECT 'same' FROM generate_series(1, 5)`,
    );
    await pair.run();
    const slow = await pair.connect();
    await slow.query(`BEGIN; INSERT INTO t VALUES ('same')`);
    await pair.db.query(`INSERT INTO t VALUES ('same')`);
    await pair.run();
    await slow.query('COMMIT');
    await pair.run();
    await pair.expectEqual('t');
  });

  it('refuses to go on when the server has been replaced by a copy', async () => {
    await using pair = await open();
    await pair.run();
    await pair.db.query(`UPDATE t SET v = 'x'`);
    await pair.run();
    const state = (await pair.state('t'))!;
    const beyond = String(BigInt(state.checkpoint!.watermark!) + 1_000_000n);
    await pair.commitCheckpoint('t', { ...state.checkpoint!, watermark: beyond });
    const report = await pair.attempt();
    expect(report.streams[0]!.error).toMatchObject({ code: 'postgres.other_server', recovery: 'config' });
    await pair.run({ fullRefresh: true });
    await pair.expectEqual('t');
  });
});
