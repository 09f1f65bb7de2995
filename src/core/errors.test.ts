import { expect, it } from 'vitest';
import { errorFromJson, type ErrorJson, errorToJson } from './error-json.ts';
import {
  asSluiceError,
  AuthError,
  CancelledError,
  ConfigError,
  ConflictError,
  DataError,
  InternalError,
  SchemaError,
  SluiceError,
  throwIfAborted,
  TransientError,
} from './errors.ts';

it('every class names itself and says what can be done about it', () => {
  const classes = [
    ConfigError,
    AuthError,
    TransientError,
    DataError,
    SchemaError,
    ConflictError,
    CancelledError,
    InternalError,
  ];
  const all = classes.map(
    (kind) =>
      new kind('doing: found', {
        code: 'test.code',
        remedy: 'do that',
        details: { stream: 's' },
        cause: 'why',
      }),
  );
  expect(all.map(({ name, recovery }) => [name, recovery])).toEqual([
    ['ConfigError', 'config'],
    ['AuthError', 'auth'],
    ['TransientError', 'transient'],
    ['DataError', 'data'],
    ['SchemaError', 'schema'],
    ['ConflictError', 'conflict'],
    ['CancelledError', 'cancelled'],
    ['InternalError', 'internal'],
  ]);
  for (const error of all) {
    expect(error).toBeInstanceOf(SluiceError);
    expect(error).toMatchObject({
      message: 'doing: found',
      code: 'test.code',
      remedy: 'do that',
      details: { stream: 's' },
      cause: 'why',
    });
  }
});

it('an error without a cause has none, not an undefined one', () => {
  expect('cause' in new DataError('x', { code: 'test.code' })).toBe(false);
  expect(new TransientError('x', { code: 'test.code', retryAfterMs: 500 }).retryAfterMs).toBe(500);
});

it('whatever was thrown becomes an error of ours; one of ours stays as it is', () => {
  const ours = new DataError('x', { code: 'test.code' });
  expect(asSluiceError(ours, 'loading')).toBe(ours);
  const cause = new TypeError('x is not a function');
  expect(asSluiceError(cause, 'loading orders')).toMatchObject({
    name: 'InternalError',
    message: 'loading orders: x is not a function',
    code: 'internal',
    cause,
  });
  expect(asSluiceError('text', 'loading').message).toBe('loading: text');
  expect(asSluiceError(undefined, 'loading').message).toBe('loading: undefined');
});

it('a stop is told as a stop, with the reason of ours that was given', () => {
  expect(() => throwIfAborted(new AbortController().signal)).not.toThrow();
  expect(() => throwIfAborted(AbortSignal.abort())).toThrow(CancelledError);
  const reason = new ConflictError('somebody else holds it', { code: 'test.lost' });
  expect(() => throwIfAborted(AbortSignal.abort(reason))).toThrow(reason);
});

it('an error from another thread is of its class, and says how to try again', () => {
  const detail = { code: 'test.code', remedy: 'do that', details: { stream: 's' } };
  const all = [
    new TransientError('doing: found', { ...detail, next: 'replan', retryAfterMs: 500 }),
    new TransientError('doing: found', { ...detail, next: 'at-once' }),
    new DataError('doing: found', detail),
  ];
  for (const error of all) {
    const json: unknown = JSON.parse(JSON.stringify(errorToJson(error, 'doing')));
    const back = errorFromJson(json as ErrorJson);
    expect(back).toBeInstanceOf(error.constructor);
    expect(errorToJson(back, 'doing')).toEqual({ ...errorToJson(error, 'doing'), stack: expect.anything() });
  }
});
