import { ConfigError } from '../core/errors.ts';

/** The table's exact name; capitals only matter when two tables differ by nothing else. */
export function knownTable(table: string, names: readonly string[]): string {
  if (names.includes(table)) return table;
  const alike = names.filter((name) => name.toLowerCase() === table.toLowerCase());
  if (alike.length === 1) return alike[0]!;
  throw unknownTable(table, names);
}

export function unknownTable(table: string, names: readonly string[]): ConfigError {
  return new ConfigError(`looking for table "${table}": the lake has none of that name`, {
    code: 'catalog.unknown_table',
    remedy: tableList(names),
    details: { table },
  });
}

/** DuckDB only knows the tables that a query named, so it cannot suggest others. */
export function withTableNames(error: unknown, names: readonly string[]): unknown {
  if (!(error instanceof ConfigError) || !/Table with name .* does not exist/.test(error.message))
    return error;
  const { code, details, cause } = error;
  const message = error.message.replace(/ Did you mean .*$/, '');
  return new ConfigError(message, { code, details, cause, remedy: tableList(names) });
}

function tableList(names: readonly string[]): string {
  if (names.length === 0) return 'the lake has no tables yet; run a pipeline first';
  return `tables: ${names.slice(0, 20).join(', ')}${names.length > 20 ? ', …' : ''}`;
}
