/**
 * Takes secrets out of text that people or logs will see. Connection URLs reach messages from many sides (drivers,
 * configuration, causes of errors), so this works on any text and rather hides too much than too little.
 */

const HIDDEN = '***';

/** Names whose values are secrets, alone or at the end of a longer name: `sslpassword`, `PGPASSWORD`, `X-Amz-Signature`. */
const SECRET_NAME =
  '[\\w.-]{0,64}(?:password|passwd|passphrase|pwd|secret|token|credentials?|signature|api[_-]?key|access[_-]?key(?:[_-]?id)?|private[_-]?key)';
const QUOTED = `'(?:[^'\\\\]|\\\\.|'')*'|"(?:[^"\\\\]|\\\\.)*"`;

/** conninfo, query parameters and environment assignments: `password=…`, `password = '…'`, `?token=…&`. */
const ASSIGNED = new RegExp(`\\b(${SECRET_NAME})(\\s*=\\s*)(?:${QUOTED}|[^\\s&;,'"\`)\\]}]+)`, 'gi');
/** JSON and YAML; without quotes a colon is more often prose ("password: authentication refused"). */
const LABELLED = new RegExp(`\\b(${SECRET_NAME})(["']?\\s*:\\s*)(?:${QUOTED})`, 'gi');
const AUTHORIZATION = /\b(authorization["']?\s*[:=]\s*["']?(?:bearer|basic|token)?\s*)[^\s"',;]+/gi;
const URL_TOKEN = /\b([a-z][a-z0-9+.-]*):\/\/([^\s"'<>`]+)/gi;

/** `text` without passwords, tokens and keys. A URL keeps its user: `postgres://app:x@db/shop` → `postgres://app@db/shop`. */
export function redactUrl(text: string): string {
  return text
    .replace(
      URL_TOKEN,
      (_whole, scheme: string, rest: string) => `${scheme}://${redactAuthority(scheme, rest)}`,
    )
    .replace(AUTHORIZATION, `$1${HIDDEN}`)
    .replace(ASSIGNED, `$1$2${HIDDEN}`)
    .replace(LABELLED, `$1$2"${HIDDEN}"`);
}

function redactAuthority(scheme: string, rest: string): string {
  const end = rest.search(/[/?#]/);
  const authority = end < 0 ? rest : rest.slice(0, end);
  let at = authority.lastIndexOf('@');
  if (at < 0) {
    // Somebody wrote a password with `/`, `?` or `#` in it as it is: what looks like a port is no number.
    const broken =
      /^[^:[\]]*:(?!\d*$)/.test(authority) || (!isWeb(scheme) && /^[^:[\]]+:\d+$/.test(authority));
    at = broken ? rest.lastIndexOf('@') : -1;
    if (at < 0) return rest;
  }
  const user = rest.slice(0, at);
  const host = rest.slice(at + 1);
  const colon = user.indexOf(':');
  const name = colon < 0 ? user : user.slice(0, colon);
  // https://<token>@host is a common way to pass a token.
  if (isWeb(scheme) && name !== '') return `${HIDDEN}@${host}`;
  return name === '' ? host : `${name}@${host}`;
}

function isWeb(scheme: string): boolean {
  return /^(?:https?|git|wss?)(?:\+\w+)?$/i.test(scheme);
}
