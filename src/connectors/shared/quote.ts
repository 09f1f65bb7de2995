/** The only functions that put names and text into SQL for databases that follow the standard's quoting. */

/** `orders` → `"orders"`; NUL cannot be in a name. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('\0', '').replaceAll('"', '""')}"`;
}

/** A text literal where a value cannot be bound (COPY, SET). Backslashes are ordinary: standard_conforming_strings is on. */
export function quoteText(value: string): string {
  return `'${value.replaceAll('\0', '').replaceAll("'", "''")}'`;
}
