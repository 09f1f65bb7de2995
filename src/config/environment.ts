/** `${NAME}` and `${NAME:-default}` in the strings of a project; `$${` stands for a literal `${`. */

export type Environment = Readonly<Record<string, string | undefined>>;

/** What {@link env} of a TypeScript project returns: text that stands for a value which is filled in on loading. */
export type Placeholder = `\${${string}}`;

export interface Expanded {
  text: string;
  /** Values that came from outside, each with the placeholder that it replaced: messages show the latter. */
  values: { value: string; placeholder: string }[];
  /** What is wrong, one line each; never with a value. */
  mistakes: string[];
}

const PLACEHOLDER = /\$\$\{|\$\{([^}]*)(\}?)/g;
const CONTENT = /^([A-Za-z_][A-Za-z0-9_]*)(?::-((?:(?!\$\{).)*))?$/s;
/** Does not repeat what was found: an unfinished placeholder reaches to the end, and a password may be there. */
const MALFORMED =
  'found a "${" that begins no placeholder; write ${NAME} or ${NAME:-default}, and $${ for a literal ${';

export function expand(written: string, environment: Environment): Expanded {
  const values: Expanded['values'] = [];
  const mistakes: string[] = [];
  const text = written.replace(PLACEHOLDER, (placeholder, content: string | undefined, end: string) => {
    if (content === undefined) return '${';
    const [, name, fallback] = end === '}' ? (CONTENT.exec(content) ?? []) : [];
    if (name === undefined) {
      mistakes.push(MALFORMED);
      return placeholder;
    }
    const value = environment[name];
    if (value !== undefined && (value !== '' || fallback === undefined)) {
      values.push({ value, placeholder });
      return value;
    }
    if (fallback !== undefined) return fallback;
    mistakes.push(`environment variable ${name} is not set`);
    return placeholder;
  });
  return { text, values, mistakes };
}

/** Whether {@link expand} would change it. */
export function hasPlaceholder(written: string): boolean {
  return written.includes('${');
}

/** Text that {@link expand} turns into `text`. */
export function escapePlaceholders(text: string): string {
  // By a function: in a replacement text, $$ is one $.
  return text.replaceAll('${', () => '$${');
}
