import { quoteName } from './quote.ts';

/** Splits at dots outside of double quotes. */
export function splitName(name: string): string[] {
  const parts: string[] = [];
  for (const match of name.matchAll(/"((?:[^"]|"")*)"|([^."]+)/g))
    parts.push(match[1]?.replaceAll('""', '"') ?? match[2]!);
  return parts.length === 0 ? [name] : parts;
}

/** The name of a stream as `discover` shows it and {@link splitName} reads it. */
export function streamName(schema: string, table: string): string {
  return `${namePart(schema)}.${namePart(table)}`;
}

/** Quoted where it would be read otherwise: dots and quotes here, blanks at an end and wildcards in a project file. */
export function namePart(text: string): string {
  return /[."*?[\]{}%]|^\s|\s$/.test(text) ? quoteName(text) : text;
}
