/** Errors across a thread or process border: all survives but the cause, which becomes text. */
import {
  AuthError,
  CancelledError,
  ConfigError,
  ConflictError,
  DataError,
  InternalError,
  type Recovery,
  type RetryDetail,
  SchemaError,
  type SluiceError,
  TransientError,
  asSluiceError,
  type ErrorDetail,
} from './errors.ts';
import type { ErrorInfo } from './events.ts';

export interface ErrorJson {
  recovery: Recovery;
  message: string;
  code: string;
  remedy: string | undefined;
  details: Record<string, unknown>;
  stack: string | undefined;
  /** Of transient ones. */
  retry: RetryDetail | undefined;
}

type Details = ErrorDetail & Partial<RetryDetail>;

const CLASSES: Record<Recovery, new (message: string, detail: Details) => SluiceError> = {
  config: ConfigError,
  auth: AuthError,
  transient: TransientError,
  data: DataError,
  schema: SchemaError,
  conflict: ConflictError,
  internal: InternalError,
  cancelled: CancelledError,
};

export function errorToJson(thrown: unknown, doing: string): ErrorJson {
  const error = asSluiceError(thrown, doing);
  const { recovery, message, code, remedy, details } = error;
  return {
    recovery,
    message,
    code,
    remedy,
    details,
    stack: error.cause instanceof Error ? error.cause.stack : error.stack,
    retry:
      error instanceof TransientError ? { next: error.next, retryAfterMs: error.retryAfterMs } : undefined,
  };
}

export function errorFromJson(json: ErrorJson): SluiceError {
  const { message, code, remedy, details } = json;
  return new CLASSES[json.recovery](message, { code, remedy, details, cause: json.stack, ...json.retry });
}

export function errorInfo(error: SluiceError): ErrorInfo {
  return { code: error.code, recovery: error.recovery, message: error.message, remedy: error.remedy };
}
