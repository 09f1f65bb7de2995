import { describe, expect, it } from 'vitest';
import { ConfigError, TransientError } from '../core/errors.ts';
import { createStyle } from '../observe/style.ts';
import { renderError, renderErrorJson } from './error-text.ts';

const plain = { style: createStyle(false), verbose: false };
const refused = new TransientError(
  'connecting to "shop" (postgres://app:s3cret@db:5432/shop): connection refused, 3 attempts in 7 s',
  {
    code: 'postgres.connection_refused',
    remedy: 'is the server up and reachable from here? try: sluice check shop',
    cause: new Error('connect ECONNREFUSED password=s3cret', { cause: 'socket' }),
  },
);

describe('renderError', () => {
  it('says what happened, what to do and what is durable', () => {
    const durable = 'nothing was read or written; the next run continues at 2026-07-24 01:05:23.118402+00';
    expect(renderError(refused, { ...plain, durable })).toBe(
      [
        '✗ connecting to "shop" (postgres://app@db:5432/shop): connection refused, 3 attempts in 7 s',
        '  is the server up and reachable from here? try: sluice check shop',
        '  nothing was read or written; the next run continues at 2026-07-24 01:05:23.118402+00',
      ].join('\n'),
    );
  });

  it('leaves lists of mistakes as they are', () => {
    const error = new ConfigError('sluice.yaml has 2 mistakes:\n  12:7  a: unknown\n  21:9  b: missing', {
      code: 'config.invalid',
    });
    expect(renderError(error, plain)).toBe(
      'sluice.yaml has 2 mistakes:\n  12:7  a: unknown\n  21:9  b: missing',
    );
  });

  it('adds code, stack and causes when asked, still without secrets', () => {
    const text = renderError(refused, { ...plain, verbose: true });
    expect(text).toContain('  code: postgres.connection_refused\n');
    expect(text).toMatch(/ {2}TransientError: connecting[^\n]*\n {6}at /);
    expect(text).toContain('  caused by Error: connect ECONNREFUSED password=***\n');
    expect(text).toContain('  caused by socket');
    expect(text).not.toContain('s3cret');
  });

  it('asks for a report of what nobody expected', () => {
    expect(renderError(new TypeError('x is undefined'), plain)).toBe(
      '✗ running sluice: x is undefined\n  this looks like a bug in sluice; please report it with the output of --verbose',
    );
  });

  it('ends with causes that go in circles', () => {
    const error = new Error('a');
    error.cause = error;
    expect(renderError(error, { ...plain, verbose: true })).toContain('caused by Error: a');
  });
});

describe('renderErrorJson', () => {
  it('is one line without secrets', () => {
    expect(renderErrorJson(refused, false)).toBe(
      `${JSON.stringify({
        error: {
          code: 'postgres.connection_refused',
          message:
            'connecting to "shop" (postgres://app@db:5432/shop): connection refused, 3 attempts in 7 s',
          remedy: 'is the server up and reachable from here? try: sluice check shop',
          recovery: 'transient',
        },
      })}\n`,
    );
  });

  it('has details, and causes when asked', () => {
    const error = new ConfigError('x', { code: 'c', details: { mistakes: [1] }, cause: 'why' });
    const { error: json } = JSON.parse(renderErrorJson(error, true)) as { error: Record<string, unknown> };
    expect(json).toMatchObject({ code: 'c', remedy: null, details: { mistakes: [1] } });
    expect(json['causes']).toContain('caused by why');
  });
});
