import { expect, it } from 'vitest';
import { filesFromUrl } from './source-url.ts';

it.each([
  ['data.csv', '.', 'data.csv', 'data'],
  ['./data.csv', '.', 'data.csv', 'data'],
  ['in/tenants_*.csv.gz', 'in', 'tenants_*.csv.gz', 'tenants'],
  ['../in/2026/**/t_[0-9]*.jsonl', '../in/2026', '**/t_[0-9]*.jsonl', 't'],
  ['./größe-日本_*.csv', '.', 'größe-日本_*.csv', 'größe-日本'],
  ['/data.parquet', '/', 'data.parquet', 'data'],
  ['/landing/*.csv', '/landing', '*.csv', 'landing'],
  ['*.{csv,tsv}.csv', '.', '*.{csv,tsv}.csv', 'files'],
  ['s3://bucket/daily/x-{a,b}.json.zst', 's3://bucket/daily', 'x-{a,b}.json.zst', 'x'],
  ['s3://bucket/x.csv', 's3://bucket', 'x.csv', 'x'],
  ['file:///var/in/a b.zip', '/var/in', 'a b.zip', 'a b'],
])('%s is %s and %s, as %s', (url, path, pattern, name) => {
  expect(filesFromUrl(url)).toEqual({ path, pattern, name });
});

it.each(['./lake', 's3://bucket/lake', 'dump.sql.gz', 'warehouse.duckdb', 'https://example.com/a.csv'])(
  '%s is something else',
  (url) => {
    expect(filesFromUrl(url)).toBe(undefined);
  },
);
