/**
 * Every error that Sluice raises on purpose, one class per *recovery*: what the caller can do about it.
 * Connectors translate driver errors into these at their border; nothing above a connector matches on
 * message text. Messages follow one form: what was being done, on what object, what was found.
 */

/** What the engine does next. `retry` and `conflict` may be tried again, the others may not. */
export type Recovery =
  | 'config'
  | 'auth'
  | 'transient'
  | 'data'
  | 'schema'
  | 'conflict'
  | 'internal'
  | 'cancelled';

export interface ErrorDetail {
  /** Stable code, listed in docs/errors.md, for example `postgres.connection_refused`. */
  code: string;
  /** What the user can do, one line, starts in lower case. */
  remedy?: string | undefined;
  /** Names of the objects at hand (stream, column, file); never row values, never secrets. */
  details?: Record<string, unknown> | undefined;
  cause?: unknown;
}

export abstract class SluiceError extends Error {
  abstract readonly recovery: Recovery;
  readonly code: string;
  readonly remedy: string | undefined;
  readonly details: Record<string, unknown>;

  constructor(message: string, detail: ErrorDetail) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = new.target.name;
    this.code = detail.code;
    this.remedy = detail.remedy;
    this.details = detail.details ?? {};
  }
}

/** The user has to edit something: configuration, flags, or an option of the server. */
export class ConfigError extends SluiceError {
  readonly recovery = 'config' as const;
}

/** Credentials or permissions were refused. */
export class AuthError extends SluiceError {
  readonly recovery = 'auth' as const;
}

/**
 * `wait`: the same again after a while. `at-once`: there is nothing to wait for, since the next try goes another way.
 * `replan`: what was staged before is lost, or nobody knows whether it is there, so the stream begins from what is committed;
 * `replan-at-once`: the same without a wait;
 * `later`: not in this run, for the other side asks for more time than we wait.
 */
export type NextTry = 'wait' | 'at-once' | 'replan' | 'replan-at-once' | 'later';

/** How to try again. */
export interface RetryDetail {
  next: NextTry;
  /** Least wait before the next try, in milliseconds. */
  retryAfterMs: number | undefined;
}

/** Worth another try: connection lost, server restarting, throttled, deadlock. */
export class TransientError extends SluiceError implements RetryDetail {
  readonly recovery = 'transient' as const;
  readonly retryAfterMs: number | undefined;
  readonly next: NextTry;

  constructor(message: string, detail: ErrorDetail & Partial<RetryDetail>) {
    super(message, detail);
    this.retryAfterMs = detail.retryAfterMs;
    this.next = detail.next ?? 'wait';
  }
}

/** A value cannot be represented in the target. */
export class DataError extends SluiceError {
  readonly recovery = 'data' as const;
}

/** The schema contract says stop. */
export class SchemaError extends SluiceError {
  readonly recovery = 'schema' as const;
}

/** Somebody else holds, or took over, what we were working on. */
export class ConflictError extends SluiceError {
  readonly recovery = 'conflict' as const;
}

/** The user or a signal asked to stop. */
export class CancelledError extends SluiceError {
  readonly recovery = 'cancelled' as const;
}

/** A broken promise inside Sluice: please report it. */
export class InternalError extends SluiceError {
  readonly recovery = 'internal' as const;
}

/** Wraps whatever was thrown so that callers can always read `recovery`, `code` and `remedy`. */
export function asSluiceError(error: unknown, doing: string): SluiceError {
  if (error instanceof SluiceError) return error;
  const found = error instanceof Error ? error.message : String(error);
  return new InternalError(`${doing}: ${found}`, {
    code: 'internal',
    remedy: 'this looks like a bug in sluice; please report it with the output of --verbose',
    cause: error,
  });
}

/** Throws CancelledError when `signal` is aborted. */
export function throwIfAborted(signal: AbortSignal): void {
  if (!signal.aborted) return;
  if (signal.reason instanceof SluiceError) throw signal.reason;
  throw new CancelledError('stopped on request', { code: 'cancelled', cause: signal.reason });
}
