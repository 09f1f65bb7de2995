import { asSluiceError, type SluiceError } from '../core/errors.ts';
import { redactUrl } from '../core/redact.ts';
import { jsonLine } from '../observe/json-lines.ts';
import type { Style } from '../observe/style.ts';

export interface ErrorTextOptions {
  readonly style: Style;
  readonly verbose: boolean;
  /** What is safe in the destination and what the next run does, when somebody knows. */
  readonly durable?: string | undefined;
}

/** An error for people: what happened, what to do, what is durable. */
export function renderError(thrown: unknown, options: ErrorTextOptions): string {
  const { style, verbose, durable } = options;
  const error = asSluiceError(thrown, 'running sluice');
  // A list of mistakes has a title of its own.
  const mark = error.message.includes('\n') ? '' : `${style.red('✗')} `;
  const lines = [`${mark}${error.message}`];
  if (error.remedy !== undefined) lines.push(`  ${error.remedy}`);
  if (durable !== undefined) lines.push(`  ${durable}`);
  if (verbose) lines.push(...chain(error).map((line) => style.dim(`  ${line}`)));
  return redactUrl(lines.join('\n'));
}

/** The same for programs: one line. */
export function renderErrorJson(thrown: unknown, verbose: boolean): string {
  const error = asSluiceError(thrown, 'running sluice');
  const { code, message, remedy, recovery, details } = error;
  const more = Object.keys(details).length > 0 ? { details } : {};
  const causes = verbose ? { causes: chain(error) } : {};
  // JSON drops what is undefined: a reader finds every field, or null.
  return jsonLine({ error: { code, message, remedy: remedy ?? null, recovery, ...more, ...causes } });
}

/** Stack of the error and of each cause below it. */
function chain(error: SluiceError): string[] {
  const lines = [`code: ${error.code}`, ...stackOf(error)];
  const seen = new Set<unknown>([error]);
  let cause: unknown = error.cause;
  while (cause !== undefined && cause !== null && !seen.has(cause)) {
    seen.add(cause);
    const [first = '', ...rest] = stackOf(cause);
    lines.push(`caused by ${first}`, ...rest);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return lines;
}

function stackOf(error: unknown): string[] {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return text.split('\n');
}
