/** libpq's password file. The driver reads it too, but says on every start that it will stop doing so. */
import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

export interface Login {
  host: string;
  port: number;
  database: string;
  user: string;
}

type Environment = Record<string, string | undefined>;

/**
 * The password of the first line that fits. A file that others may read is ignored, as libpq does.
 * https://www.postgresql.org/docs/current/libpq-pgpass.html
 */
export function passwordFromFile(
  login: Login,
  file: string | undefined,
  env: Environment,
): string | undefined {
  const text = readPrivate(file ?? env['PGPASSFILE'] ?? defaultFile(env));
  // A server on a socket also goes by the name of localhost.
  const hosts = login.host.startsWith('/') ? [login.host, 'localhost'] : [login.host];
  for (const line of text?.split(/\r?\n/) ?? []) {
    if (line.startsWith('#')) continue;
    const [host, port, database, user, password] = fieldsOf(line);
    if (password === undefined) continue;
    const fits = (field: string | undefined, ...values: string[]): boolean =>
      field === '*' || values.includes(field!);
    if (
      fits(host, ...hosts) &&
      fits(port, String(login.port)) &&
      fits(database, login.database) &&
      fits(user, login.user)
    )
      return password;
  }
  return undefined;
}

/** Fields end at colons; a backslash makes the next character an ordinary one. */
function fieldsOf(line: string): string[] {
  const fields = [''];
  for (const [, escaped, plain] of line.matchAll(/\\(.)|([^])/g)) {
    if (plain === ':' && fields.length < 5) fields.push('');
    // libpq takes nothing after the password's own end either.
    else if (plain === ':') break;
    else fields[fields.length - 1] += escaped ?? plain!;
  }
  return fields;
}

function readPrivate(file: string): string | undefined {
  try {
    const { mode } = statSync(file);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) return undefined;
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function defaultFile(env: Environment): string {
  const folder =
    process.platform === 'win32' ? path.join(env['APPDATA'] ?? '', 'postgresql') : (env['HOME'] ?? homedir());
  return path.join(folder, process.platform === 'win32' ? 'pgpass.conf' : '.pgpass');
}
