import { describe, expect, it } from 'vitest';
import { redactUrl } from './redact.ts';

describe('redactUrl', () => {
  it.each([
    ['postgres://app:s3cret@db:5432/shop', 'postgres://app@db:5432/shop'],
    ['postgres://app@db:5432/shop', 'postgres://app@db:5432/shop'],
    ['postgres://db:5432/shop', 'postgres://db:5432/shop'],
    ['postgres://db/shop', 'postgres://db/shop'],
    ['postgres:///shop?host=/run', 'postgres:///shop?host=/run'],
    ['postgres://app:p@ss@db/shop', 'postgres://app@db/shop'],
    ['postgres://app:pa/ss#1?x@db/shop', 'postgres://app@db/shop'],
    ['postgres://app:12/34@db/shop', 'postgres://app@db/shop'],
    ['postgres://app:p%40ss@[::1]:5432/shop', 'postgres://app@[::1]:5432/shop'],
    ['redis://:s3cret@cache:6379', 'redis://cache:6379'],
    ['https://ghp_abc123@example.com/x', 'https://***@example.com/x'],
    ['https://user:s3cret@example.com/x', 'https://***@example.com/x'],
    ['https://example.com:8080/@scope/x', 'https://example.com:8080/@scope/x'],
    ['s3://bucket/prefix', 's3://bucket/prefix'],
  ])('of %s', (url, expected) => {
    expect(redactUrl(url)).toBe(expected);
    expect(redactUrl(`connecting to "${url}": refused`)).toBe(`connecting to "${expected}": refused`);
  });

  it.each([
    ['host=db user=app password=s3cret dbname=shop', 'host=db user=app password=*** dbname=shop'],
    [`host=db password='it\\'s a s3cret' dbname=shop`, 'host=db password=*** dbname=shop'],
    ['host=db sslpassword = s3cret', 'host=db sslpassword = ***'],
    ['Server=db;Pwd=s3cret;Database=shop', 'Server=db;Pwd=***;Database=shop'],
    ['PGPASSWORD=s3cret psql', 'PGPASSWORD=*** psql'],
    [
      'postgres://db/shop?user=a&password=s3cret&sslmode=require',
      'postgres://db/shop?user=a&password=***&sslmode=require',
    ],
    ['https://x.example/get?token=s3cret', 'https://x.example/get?token=***'],
    [
      'https://b.example/k?X-Amz-Signature=s3cret&X-Amz-Date=1',
      'https://b.example/k?X-Amz-Signature=***&X-Amz-Date=1',
    ],
    ['aws_secret_access_key = s3cret', 'aws_secret_access_key = ***'],
    ['{"user":"a","password":"s3cret"}', '{"user":"a","password":"***"}'],
    ["{ password: 's3cret', port: 1 }", '{ password: "***", port: 1 }'],
    ['Authorization: Bearer s3cret', 'Authorization: Bearer ***'],
  ])('in %s', (text, expected) => {
    expect(redactUrl(text)).toBe(expected);
  });

  it('handles several secrets in one text and is idempotent', () => {
    const text = 'from postgres://a:s3cret@x/y to mysql://b:s3cret@z/w with password=s3cret';
    const once = redactUrl(text);
    expect(once).toBe('from postgres://a@x/y to mysql://b@z/w with password=***');
    expect(redactUrl(once)).toBe(once);
  });

  it.each([
    'password authentication was refused for user "app"',
    'the password: authentication refused',
    'key columns (order_id) of public.orders = 2',
    'updated_at ≥ 2026-07-24 01:05:23.118402+00',
    'sluice.yaml 12:7: unknown option',
  ])('leaves prose alone: %s', (text) => {
    expect(redactUrl(text)).toBe(text);
  });
});
