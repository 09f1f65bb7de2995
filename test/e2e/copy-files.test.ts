/** `sluice copy` of files, whose path says all that has to be known. */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sluice-copy-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function sluice(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [MAIN, ...args], { cwd: folder, encoding: 'utf8' });
}

/** A file that nobody writes to any more. */
function write(name: string, text: string): void {
  const file = path.join(folder, name);
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
  const then = Date.now() / 1000 - 60;
  utimesSync(file, then, then);
}

it('copies the files of a path, and those alone that are new the next time', () => {
  write('in/t_20260101.csv', 'id,code\n1,007\n2,\n');
  write('in/other.csv', 'x\n1\n');
  expect(sluice('copy', './in/t_*.csv', './lake')).toMatchObject({ status: 0 });
  write('in/t_20260102.csv', 'id,code\n3,008\n');
  const again = sluice('copy', './in/t_*.csv', './lake', '--json');
  expect(again.status).toBe(0);
  expect(again.stdout).toContain('"loaded":1');
  const sql = 'SELECT id, code, snapshot_date::text AS day FROM t ORDER BY id';
  const { stdout } = sluice('catalog', 'query', sql, '--lake', './lake', '--format', 'csv');
  expect(stdout.trim().split(/\r?\n/)).toEqual([
    'id,code,day',
    '1,007,2026-01-01',
    '2,,2026-01-01',
    '3,008,2026-01-02',
  ]);
  // Which file a row was from tells of that copy alone.
  expect(sluice('copy', './lake', './out.jsonl', '--table', 't')).toMatchObject({ status: 0 });
  const [line] = readFileSync(path.join(folder, 'out.jsonl'), 'utf8').split('\n');
  expect(JSON.parse(line!)).toEqual({ id: 1, code: '007', snapshot_date: '2026-01-01' });
});

it('makes one format of another', () => {
  write('a.csv', 'id,n,t\n1,1.50,""\n2,,x\n');
  for (const [from, to] of [
    ['a.csv', 'b.parquet'],
    ['b.parquet', './c/c.jsonl.gz'],
    ['./c/c.jsonl.gz', 'd.csv'],
  ])
    expect(sluice('copy', from!, to!), `${from} to ${to}`).toMatchObject({ status: 0 });
  const [header, ...rows] = readFileSync(path.join(folder, 'd.csv'), 'utf8').trim().split('\n');
  expect(header!.split(',').slice(0, 3)).toEqual(['id', 'n', 't']);
  expect(rows.map((row) => row.split(',').slice(0, 3).join(','))).toEqual(['1,1.50,""', '2,,x']);
});

it('refuses what a path says already', () => {
  write('a.csv', 'id\n1\n');
  const { status, stderr } = sluice('copy', 'a.csv', './lake', '--table', 'a');
  expect(status).toBe(2);
  expect(stderr).toContain('--table');
});
