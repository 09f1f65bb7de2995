/** What errors of the SDK, of a store and of the way to it mean for the user. */
import {
  asSluiceError,
  AuthError,
  ConfigError,
  DataError,
  type ErrorDetail,
  SluiceError,
  TransientError,
} from '../../../core/errors.ts';

type Class = new (message: string, detail: ErrorDetail) => SluiceError;

interface Fault {
  kind: Class;
  code: string;
  found: string;
  remedy: string;
}

const CREDENTIALS =
  'give others: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN for temporary ones), a `profile`, or the role of the machine';

const NO_CREDENTIALS: Fault = {
  kind: AuthError,
  code: 'storage.no_credentials',
  found: 'no credentials were found',
  remedy: CREDENTIALS.replace('give others', 'give some'),
};
const REFUSED: Fault = {
  kind: AuthError,
  code: 'storage.credentials',
  found: 'the credentials were refused',
  remedy: CREDENTIALS,
};
const EXPIRED: Fault = {
  ...REFUSED,
  found: 'the credentials have expired',
  remedy:
    'log in again (`aws sso login`) or renew the session token, then run again: nothing half-written is visible',
};
const DENIED: Fault = {
  kind: AuthError,
  code: 'storage.permission',
  found: 'permission denied',
  remedy:
    'give these credentials s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload on what lies under the prefix',
};
const NO_BUCKET: Fault = {
  kind: ConfigError,
  code: 'storage.no_bucket',
  found: 'there is no such bucket',
  remedy: 'correct the bucket in `path` or the `endpoint`, or create the bucket first',
};
const REGION: Fault = {
  kind: ConfigError,
  code: 'storage.region',
  found: 'the bucket is in another region, or no region is known',
  remedy: 'set `region` to that of the bucket (`aws s3api get-bucket-location` tells it), or AWS_REGION',
};
const THROTTLED: Fault = {
  kind: TransientError,
  code: 'storage.throttled',
  found: 'the storage asks for fewer requests',
  remedy: 'it was tried again some times: run again later, or with fewer workers',
};
const UNAVAILABLE: Fault = {
  kind: TransientError,
  code: 'storage.unavailable',
  found: 'the storage did not answer, or the connection was lost',
  remedy:
    'it was tried again some times: check the network and `endpoint`, then run again: nothing half-written is visible',
};
const TLS: Fault = {
  kind: ConfigError,
  code: 'storage.tls',
  found: 'its certificate is not trusted',
  remedy: 'NODE_EXTRA_CA_CERTS names a file with the certificate of your own authority; check `endpoint`',
};
const CLOCK: Fault = {
  ...REFUSED,
  found: 'the clock of this machine is wrong by minutes',
  remedy: 'set the clock of this machine (NTP), then run again',
};
const MISSING: Fault = {
  kind: DataError,
  code: 'storage.missing',
  found: 'the object does not exist',
  remedy: 'check that nothing else removes objects there',
};
const CHANGED: Fault = {
  kind: TransientError,
  code: 'storage.changed',
  found: 'the object was changed meanwhile',
  remedy: 'wait until its writer is done, then run again',
};

/** By the name that S3, or the SDK, gives an error. */
const BY_NAME: Readonly<Record<string, Fault>> = {
  CredentialsProviderError: NO_CREDENTIALS,
  TokenProviderError: EXPIRED,
  ExpiredToken: EXPIRED,
  ExpiredTokenException: EXPIRED,
  TokenRefreshRequired: EXPIRED,
  InvalidAccessKeyId: REFUSED,
  InvalidToken: REFUSED,
  SignatureDoesNotMatch: REFUSED,
  RequestTimeTooSkewed: CLOCK,
  AccessDenied: DENIED,
  AllAccessDisabled: DENIED,
  AccountProblem: DENIED,
  NoSuchBucket: NO_BUCKET,
  InvalidBucketName: NO_BUCKET,
  PermanentRedirect: REGION,
  TemporaryRedirect: REGION,
  AuthorizationHeaderMalformed: REGION,
  IllegalLocationConstraintException: REGION,
  SlowDown: THROTTLED,
  Throttling: THROTTLED,
  ThrottlingException: THROTTLED,
  TooManyRequestsException: THROTTLED,
  RequestLimitExceeded: THROTTLED,
  NoSuchKey: MISSING,
  NotFound: MISSING,
  PreconditionFailed: CHANGED,
  TimeoutError: UNAVAILABLE,
  RequestTimeout: UNAVAILABLE,
  InternalError: UNAVAILABLE,
  // A part of an upload that another process has given up for abandoned, or an answer that got lost.
  NoSuchUpload: UNAVAILABLE,
};

/** Where the answer has no body, the status is all there is. */
const BY_STATUS: Readonly<Record<number, Fault>> = {
  301: REGION,
  307: REGION,
  401: REFUSED,
  403: DENIED,
  404: MISSING,
  408: UNAVAILABLE,
  409: UNAVAILABLE,
  412: CHANGED,
  429: THROTTLED,
  503: THROTTLED,
};

/** Of Node and of OpenSSL, by which a connection ends or does not come about. */
const BY_CODE: Readonly<Record<string, Fault>> = {
  ...Object.fromEntries(
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'SELF_SIGNED_CERT_IN_CHAIN', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'].map(
      (code) => [code, TLS],
    ),
  ),
  CERT_HAS_EXPIRED: TLS,
  ERR_TLS_CERT_ALTNAME_INVALID: TLS,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: TLS,
};
const LOST: ReadonlySet<string | undefined> = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ERR_STREAM_PREMATURE_CLOSE',
]);

interface SdkError extends Error {
  code?: unknown;
  $metadata?: { httpStatusCode?: number; attempts?: number };
}

/** The status of the answer; undefined when there was none. */
export function statusOf(error: unknown): number | undefined {
  return (error as SdkError | undefined)?.$metadata?.httpStatusCode;
}

/** `doing` names the object: `reading "s3://bucket/x"`. */
export function s3Error(error: unknown, doing: string): SluiceError {
  if (!(error instanceof Error) || error instanceof SluiceError) return asSluiceError(error, doing);
  const fault = faultOf(error);
  if (fault === undefined) return asSluiceError(error, doing);
  const status = statusOf(error);
  const { code } = error as SdkError;
  const what = [
    error.name === 'Error' ? undefined : error.name,
    typeof code === 'string' ? code : undefined,
    status,
  ];
  const shown = [...new Set(what.filter((each) => each !== undefined))].join(', ');
  return new fault.kind(`${doing}: ${fault.found}${shown === '' ? '' : ` (${shown})`}`, {
    code: fault.code,
    remedy: fault.remedy,
    details: { name: error.name, status },
    cause: error,
  });
}

function faultOf(error: SdkError): Fault | undefined {
  const named = BY_NAME[error.name];
  if (named) return named;
  if (/^Region is missing|^Could not resolve region/.test(error.message)) return REGION;
  const code = typeof error.code === 'string' ? error.code : undefined;
  if (code !== undefined && BY_CODE[code]) return BY_CODE[code];
  if (LOST.has(code) || error.message === 'aborted') return UNAVAILABLE;
  const status = statusOf(error);
  if (status === undefined) return undefined;
  return BY_STATUS[status] ?? (status >= 500 ? UNAVAILABLE : undefined);
}
