/** Takes secrets of a tap out of what it says. */
import { redactUrl } from '../../core/redact.ts';

/** Shorter values are in every text. */
const LEAST = 5;

/** What the configuration and the environment of the project hold: any text of it may be a secret. */
export function maskOf(config: unknown, env: Readonly<Record<string, string>>): (text: string) => string {
  const secrets = [...new Set([...textsIn(config), ...Object.values(env)])]
    .filter((text) => text.length >= LEAST)
    .toSorted((a, b) => b.length - a.length);
  return (text) => {
    let masked = text;
    for (const secret of secrets) masked = masked.replaceAll(secret, '***');
    return redactUrl(masked);
  };
}

const SECRET = /pass|secret|token|key|auth|credential|private|cookie|session|signature|dsn|url|uri/i;

/** Texts under names of secrets, whatever they lie in. */
function textsIn(value: unknown, secret: boolean = false): string[] {
  if (typeof value === 'string')
    return secret ? [value, ...value.split('\n').map((line) => line.trim())] : [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => textsIn(inner, secret || SECRET.test(name)));
}
