import { describe, expect, it } from 'vitest';
import { exportPathMistake } from '../../core/export.ts';
import { exportFromUrl } from './export-url.ts';
import { fileKey, formOf } from './export-name.ts';

const AT = '2026-07-24 22:30:00.118402+00';

describe('the name of an export', () => {
  it('has the day and the time of the database in the zone that is wanted', () => {
    const path = '{year}/{month}/{day}/{table}_{date}T{time}.csv';
    const name = (zone: string, at: string): string =>
      fileKey({ path, zone }, { table: 't', at, day: undefined });
    expect(name('UTC', AT)).toBe('2026/07/24/t_20260724T223000.csv');
    expect(name('Europe/Berlin', AT)).toBe('2026/07/25/t_20260725T003000.csv');
    expect(name('UTC', '2026-07-24T22:30:00.118Z')).toBe('2026/07/24/t_20260724T223000.csv');
    expect(name('UTC', '2026-07-24 22:30:00+05:30')).toBe('2026/07/24/t_20260724T170000.csv');
    expect(name('America/New_York', '2026-01-01 03:00:00+00')).toBe('2025/12/31/t_20251231T220000.csv');
  });

  it('has the day of the rows where it has only theirs', () => {
    const form = { path: '{table}_{date}.csv', zone: 'Asia/Tokyo' };
    expect(fileKey(form, { table: 't', at: AT, day: '2026-02-03' })).toBe('t_20260203.csv');
    expect(fileKey(form, { table: 't', at: AT, day: null })).toBe('t_no_date.csv');
  });

  it('fits a file system, and is that of no other table', () => {
    const form = { path: '{table}_{date}.csv', zone: 'UTC' };
    const names = ['ü'.repeat(75), 'ü'.repeat(76), `${'ü'.repeat(76)}x`].map((table) =>
      fileKey(form, { table, at: AT, day: undefined }),
    );
    expect(names[0]).toBe(`${'ü'.repeat(75)}_20260724.csv`);
    expect(new Set(names).size).toBe(3);
    for (const name of names) expect(Buffer.byteLength(name)).toBeLessThan(170);
  });

  it('says how it is written', () => {
    const form = (path: string): unknown[] => {
      const { format, compression, delimiter } = formOf({ path }, undefined);
      return [format, compression, delimiter];
    };
    expect(form('a.csv')).toEqual(['csv', 'none', ',']);
    expect(form('a.b/c.TSV.GZ')).toEqual(['csv', 'gzip', '\t']);
    expect(form('a.jsonl.zst')).toEqual(['jsonl', 'zstd', ',']);
    expect(form('a.ndjson')).toEqual(['jsonl', 'none', ',']);
    expect(form('a.parquet')).toEqual(['parquet', 'zstd', ',']);
    expect(form('a.csv/b')).toEqual([undefined, 'none', ',']);
    expect(formOf({ format: 'csv', path: 'x.txt' }, undefined)).toMatchObject({
      format: 'csv',
      header: true,
    });
    expect(formOf(undefined, 'x.parquet')).toMatchObject({ path: 'x.parquet', format: 'parquet' });
    expect(formOf(undefined, undefined)).toMatchObject({ path: '{table}_{date}.csv', zone: 'UTC' });
  });

  it('stays below its folder', () => {
    for (const bad of [
      '/a.csv',
      'a//b.csv',
      '../a.csv',
      'a/./b.csv',
      'a/',
      '.a.csv',
      '_sluice/x.csv',
      '{x}.csv',
    ])
      expect(exportPathMistake(bad), bad).toBeDefined();
    for (const good of ['a.csv', '{year}/{table}.csv', 'a b/ü.csv'])
      expect(exportPathMistake(good)).toBeUndefined();
  });
});

it('a path on the command line is a folder and a name', () => {
  expect(exportFromUrl('./out.csv')).toEqual({ path: '.', export: 'out.csv' });
  expect(exportFromUrl('out.csv.gz')).toEqual({ path: '.', export: 'out.csv.gz' });
  expect(exportFromUrl('/out.jsonl')).toEqual({ path: '/', export: 'out.jsonl' });
  expect(exportFromUrl('./a/{year}/{table}.parquet')).toEqual({
    path: './a',
    export: '{year}/{table}.parquet',
  });
  expect(exportFromUrl('s3://bucket/a/t.csv')).toEqual({ path: 's3://bucket/a', export: 't.csv' });
  expect(exportFromUrl('s3://bucket/{table}.csv')).toEqual({ path: 's3://bucket', export: '{table}.csv' });
  expect(exportFromUrl('file:///tmp/t.csv')).toEqual({ path: '/tmp', export: 't.csv' });
  for (const other of ['./lake', 'https://host/t.csv', 'postgres://host/t', './a.csv/b', 'shop.sql.gz'])
    expect(exportFromUrl(other), other).toBeUndefined();
});
