/** The only functions that put names and text into SQL. The first two are for databases that follow the standard. */

/** `orders` → `"orders"`; NUL cannot be in a name. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('\0', '').replaceAll('"', '""')}"`;
}

/** A text literal where a value cannot be bound (COPY, SET). Backslashes are ordinary: standard_conforming_strings is on. */
export function quoteText(value: string): string {
  return `'${value.replaceAll('\0', '').replaceAll("'", "''")}'`;
}

/** The name as MySQL and MariaDB want it, in every SQL mode. */
export function quoteBackticks(name: string): string {
  return `\`${name.replaceAll('\0', '').replaceAll('`', '``')}\``;
}

/** A text literal for MySQL and MariaDB, whose backslashes escape: our sessions set no mode that would change it. */
export function quoteEscaped(value: string): string {
  return `'${value.replaceAll('\0', '').replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;
}
