import type { LogicalType } from '../core/types.ts';

/** The DuckDB type that holds a logical type. JSON stays text: DuckDB's JSON cast would refuse documents that the source accepted. */
export function duckType(type: LogicalType): string {
  switch (type.kind) {
    case 'bool':
      return 'BOOLEAN';
    case 'int16':
      return 'SMALLINT';
    case 'int32':
      return 'INTEGER';
    case 'int64':
      return 'BIGINT';
    case 'float32':
      return 'FLOAT';
    case 'float64':
      return 'DOUBLE';
    case 'decimal':
      return `DECIMAL(${type.precision},${type.scale})`;
    case 'utf8':
    case 'json':
      return 'VARCHAR';
    case 'binary':
      return 'BLOB';
    case 'uuid':
      return 'UUID';
    case 'date':
      return 'DATE';
    case 'time':
      return 'TIME';
    case 'timestamp':
      return type.zone ? 'TIMESTAMPTZ' : 'TIMESTAMP';
  }
}

/** Quotes an identifier for DuckDB. */
export function duckName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A string literal for DuckDB. */
export function duckText(value: string): string {
  return `'${value.replaceAll("'", "''")}'`;
}

/** Names of columns as DuckDB takes them: those that differ from an earlier one only in capitals get numbers. */
export function distinctNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let distinct = name;
    for (let i = 1; taken.has(distinct.toLowerCase()); i++) distinct = `${name}_${i}`;
    taken.add(distinct.toLowerCase());
    return distinct;
  });
}

/** Name of a column of a batch; by position, since names of a source may differ only in capitals. */
export function sourceColumn(index: number): string {
  return `c${index}`;
}

/** DuckDB takes every path for a pattern; this is the pattern of exactly that path, whose folders may hold brackets. */
export function literalPattern(path: string): string {
  return path.replace(/[*?[]/g, '[$&]');
}
