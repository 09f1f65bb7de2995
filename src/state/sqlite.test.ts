import { createHash } from 'node:crypto';
import { execFile } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SluiceError } from '../core/errors.ts';
import type { LeaseHolder, RunRecord } from '../core/state.ts';
import { MIGRATIONS, type Migration } from './migrations.ts';
import { openDatabase } from './sqlite-database.ts';
import { openSqliteState } from './sqlite.ts';

let root: string;
let file: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sluice-sqlite-'));
  file = join(root, 'state.db');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const MINUTE = 60_000;
const holder = (run: string): LeaseHolder => ({ run, host: 'another-host.example', pid: 4711 });
const runRecord = (run: string, startedAt: string): RunRecord => ({
  run,
  pipeline: 'shop',
  startedAt,
  finishedAt: undefined,
  status: 'running',
  host: 'here',
  pid: 1,
  streams: [],
});

function pragma(name: string): unknown {
  const db = new DatabaseSync(file);
  const value = db.prepare(`PRAGMA ${name}`).get()?.[name];
  db.close();
  return value;
}

async function failure(work: Promise<unknown>): Promise<SluiceError> {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Error);
  return error as SluiceError;
}

describe('migrations', () => {
  const first: Migration = { title: 'one', sql: 'CREATE TABLE a (x); INSERT INTO a VALUES (1)' };
  const second: Migration = { title: 'two', sql: 'CREATE TABLE b (x); INSERT INTO b SELECT x + 1 FROM a' };
  const broken: Migration = { title: 'three', sql: 'CREATE TABLE c (x); INSERT INTO nowhere VALUES (1)' };

  const rows = (table: string): unknown => {
    const db = new DatabaseSync(file);
    try {
      return db.prepare(`SELECT x FROM ${table}`).get()?.['x'];
    } finally {
      db.close();
    }
  };

  it('bring a new file to the newest version', async () => {
    await (await openSqliteState(file)).close();
    expect(pragma('user_version')).toBe(MIGRATIONS.length);
    expect(pragma('journal_mode')).toBe('wal');
  });

  it('keep what is there and take only the missing steps', async () => {
    (await openDatabase(file, [first])).close();
    (await openDatabase(file, [first, second])).close();
    expect([rows('a'), rows('b'), pragma('user_version')]).toEqual([1, 2, 2]);
    (await openDatabase(file, [first, second])).close();
    expect(rows('b')).toBe(2);
  });

  it('take all steps or none', async () => {
    (await openDatabase(file, [first])).close();
    await failure(openDatabase(file, [first, second, broken]));
    expect(pragma('user_version')).toBe(1);
    expect(() => rows('b')).toThrow('no such table');
    (await openDatabase(file, [first, second])).close();
    expect(rows('b')).toBe(2);
  });

  it('never change once released', () => {
    // A change of a step that databases have taken already needs a new step instead.
    const digests = MIGRATIONS.map(({ sql }) => createHash('sha256').update(sql).digest('hex').slice(0, 16));
    expect(digests).toEqual(['36f0a6a8a3e27b51']);
  });

  it('refuse a file of a newer version and leave it alone', async () => {
    (await openDatabase(file, [...MIGRATIONS, first, second])).close();
    const before = readFileSync(file);
    const error = await failure(openSqliteState(file));
    expect(error).toMatchObject({ name: 'ConfigError', code: 'state.newer_version' });
    expect(error.message).toContain(file);
    expect(error.message).toContain(
      `version ${MIGRATIONS.length + 2}, this sluice knows up to ${MIGRATIONS.length}`,
    );
    expect(error.remedy).toContain('newer sluice');
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it('stop an older process that has the file open', async () => {
    const store = await openSqliteState(file);
    const lease = await store.acquire('orders', holder('r1'), MINUTE);
    (await openDatabase(file, [...MIGRATIONS, first])).close();
    expect(await failure(store.renew(lease, MINUTE))).toMatchObject({ code: 'state.newer_version' });
    await store.close();
  });
});

describe('files that are not ours', () => {
  it('are not touched when another program made them', async () => {
    const db = new DatabaseSync(file);
    db.exec('CREATE TABLE customers (id)');
    db.close();
    const before = readFileSync(file);
    expect(await failure(openSqliteState(file))).toMatchObject({
      name: 'ConfigError',
      code: 'state.foreign',
    });
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it.each([
    ['text', Buffer.from('streams: []\n'.repeat(100))],
    ['noise', Buffer.from(Array.from({ length: 8192 }, (_, index) => (index * 7919) % 251))],
  ])('are named when they hold %s', async (_, content) => {
    writeFileSync(file, content);
    const error = await failure(openSqliteState(file));
    expect(error).toMatchObject({ name: 'ConfigError', code: 'state.corrupt' });
    expect(error.message).toContain(file);
    expect(error.remedy).toMatch(/delete .*state\.db.*rebuilt from the destination/);
    expect(readFileSync(file).equals(content)).toBe(true);
  });

  it('are named when they were damaged later', async () => {
    const store = await openSqliteState(file);
    for (let index = 0; index < 50; index++) await store.acquire(`orders-${index}`, holder('r1'), MINUTE);
    await store.close();
    const handle = openSync(file, 'r+');
    // Everything behind the first page.
    writeSync(handle, Buffer.alloc(statSync(file).size - 4096, 0x5a), 0, undefined, 4096);
    const work = openSqliteState(file).then((damaged) => damaged.acquire('orders-7', holder('r2'), MINUTE));
    expect(await failure(work)).toMatchObject({ name: 'ConfigError', code: 'state.corrupt' });
  });

  it('are named when they are cut off', async () => {
    const store = await openSqliteState(file);
    await store.acquire('orders', holder('r1'), MINUTE);
    await store.close();
    writeFileSync(file, readFileSync(file).subarray(0, 5000));
    const work = openSqliteState(file).then((damaged) => damaged.acquire('orders', holder('r2'), MINUTE));
    expect(await failure(work)).toMatchObject({ name: 'ConfigError', code: 'state.corrupt' });
  });

  it('says so when a value in it is none that sluice writes', async () => {
    const store = await openSqliteState(file);
    await store.recordRun(runRecord('r', '2026-01-01T00:00:00Z'));
    await store.release(await store.acquire('a', holder('r'), MINUTE));
    const db = new DatabaseSync(file);
    db.exec(
      `PRAGMA ignore_check_constraints = 1; UPDATE run SET record = '{'; UPDATE lease SET fence = 1 << 60`,
    );
    db.close();
    const corrupt = { name: 'ConfigError', code: 'state.corrupt' };
    expect(await failure(store.runs({ limit: 1 }))).toMatchObject(corrupt);
    expect(await failure(store.acquire('a', holder('s'), MINUTE))).toMatchObject(corrupt);
    await store.close();
  });

  it('are replaced when they are empty, as a crash leaves them', async () => {
    writeFileSync(file, '');
    const store = await openSqliteState(file);
    expect(await store.leases()).toEqual([]);
    await store.close();
  });

  it('are explained when they cannot be opened', async () => {
    mkdirSync(file);
    expect(await failure(openSqliteState(file))).toMatchObject({
      name: 'ConfigError',
      code: 'state.unwritable',
    });
    writeFileSync(join(root, 'plain'), 'x');
    const below = await failure(openSqliteState(join(root, 'plain', 'state.db')));
    expect(below).toMatchObject({ name: 'ConfigError', code: 'state.unwritable' });
    expect(below.message).toContain(join(root, 'plain', 'state.db'));
  });
});

describe('leases', () => {
  it('survive a killed process: the write-ahead log counts', async () => {
    const store = await openSqliteState(file);
    await store.acquire('orders', holder('r1'), MINUTE);
    // As the files are while the process runs, that is, as a kill leaves them.
    for (const end of ['', '-wal', '-shm']) copyFileSync(file + end, join(root, `copy.db${end}`));
    await store.close();
    const copy = await openSqliteState(join(root, 'copy.db'));
    expect(await copy.leases()).toMatchObject([{ name: 'orders', holder: { run: 'r1' } }]);
    await copy.close();
  });

  it('end at their time', async () => {
    let now = 1_000_000;
    const store = await openSqliteState(file, { clock: () => now });
    const lease = await store.acquire('orders', holder('r1'), MINUTE);
    expect(lease).toMatchObject({ acquiredAt: 1_000_000, expiresAt: 1_060_000 });
    now += MINUTE - 1;
    await failure(store.acquire('orders', holder('r2'), MINUTE));
    now += 1;
    expect(await store.acquire('orders', holder('r2'), MINUTE)).toMatchObject({ fence: 2, takenOver: true });
    await store.close();
  });

  it('last one term more when the clock goes back, for a dead holder', async () => {
    let now = 10_000_000_000;
    const store = await openSqliteState(file, { clock: () => now });
    await store.acquire('orders', holder('r1'), MINUTE);
    now -= 3_600_000;
    const error = await failure(store.acquire('orders', holder('r2'), MINUTE));
    expect(error.message).toContain(new Date(now + MINUTE).toISOString());
    now += MINUTE - 1;
    await failure(store.acquire('orders', holder('r2'), MINUTE));
    now += 1;
    expect(await store.acquire('orders', holder('r2'), MINUTE)).toMatchObject({ fence: 2 });
    await store.close();
  });

  it('are not stolen from a living holder when the clock goes back', async () => {
    let now = 10_000_000_000;
    const store = await openSqliteState(file, { clock: () => now });
    const lease = await store.acquire('orders', holder('r1'), MINUTE);
    now -= 3_600_000;
    for (let third = 0; third < 12; third++) {
      now += MINUTE / 3;
      await failure(store.acquire('orders', holder('r2'), MINUTE));
      await store.renew(lease, MINUTE);
    }
    await store.close();
  });

  it.each([0, -1, 0.5, Number.NaN, Infinity])('need an end: %d ms', async (ttlMs) => {
    const store = await openSqliteState(file);
    expect(await failure(store.acquire('orders', holder('r1'), ttlMs))).toMatchObject({
      code: 'lease.invalid_terms',
    });
    await store.close();
  });

  it('are handed out once among processes', { timeout: 60_000 }, async () => {
    const module = new URL('sqlite.ts', import.meta.url).href;
    const script = `
      const { openSqliteState } = await import(${JSON.stringify(module)});
      const store = await openSqliteState(process.argv[1]);
      const fences = [];
      while (fences.length < 25) {
        const holder = { run: String(process.pid), host: 'elsewhere', pid: process.pid };
        const lease = await store.acquire('orders', holder, 60000).catch((error) => {
          if (error.code !== 'lease.held') throw error;
        });
        if (lease === undefined) {
          await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
          continue;
        }
        const [other, ...more] = await store.leases();
        if (more.length > 0 || other.fence !== lease.fence) throw new Error('two holders');
        fences.push(lease.fence);
        await store.release(lease);
      }
      process.stdout.write(JSON.stringify(fences));
    `;
    // All of them create and migrate the file at once, too.
    const outputs = await Promise.all(
      Array.from({ length: 4 }, () =>
        promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, file]),
      ),
    );
    const fences = outputs.flatMap(({ stdout }) => JSON.parse(stdout) as number[]);
    expect(fences.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, index) => index + 1));
    // Node's remark that its SQLite is experimental would be here.
    expect(outputs.map(({ stderr }) => stderr).join('')).not.toMatch(/SQLite/i);
  });
});

describe('a busy file', () => {
  it('is waited for without stopping everything else', async () => {
    const store = await openSqliteState(file);
    const other = new DatabaseSync(file);
    other.exec('BEGIN IMMEDIATE');
    let ticks = 0;
    const timer = setInterval(() => {
      ticks++;
      if (ticks === 8) other.exec('COMMIT');
    }, 20);
    await store.acquire('orders', holder('r1'), MINUTE);
    clearInterval(timer);
    other.close();
    expect(ticks).toBeGreaterThanOrEqual(8);
    await store.close();
  });
});

describe('run history', () => {
  it('keeps the newest', async () => {
    const store = await openSqliteState(file, { keepRuns: 3 });
    for (const day of [3, 1, 5, 2, 4])
      await store.recordRun(runRecord(`r${day}`, `2026-07-0${day}T00:00:00Z`));
    expect((await store.runs({ limit: 10 })).map(({ run }) => run)).toEqual(['r5', 'r4', 'r3']);
    expect(await store.runs({ limit: Infinity })).toHaveLength(3);
    await store.close();
  });

  it('needs times', async () => {
    const store = await openSqliteState(file);
    expect(await failure(store.recordRun(runRecord('r1', 'yesterday')))).toMatchObject({
      code: 'state.invalid_run',
    });
    await store.close();
  });
});

it('hides only the one warning', async () => {
  const script = `
    process.on('warning', (warning) => console.log(warning.name + ': ' + warning.message));
    const { openSqliteState } = await import(${JSON.stringify(new URL('sqlite.ts', import.meta.url).href)});
    await (await openSqliteState(process.argv[1])).close();
    process.emitWarning('something else', 'ExperimentalWarning');
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script, file]);
  expect(stdout).toContain('something else');
  expect(stdout).not.toContain('SQLite');
});
