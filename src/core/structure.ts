/** What a table has beside its columns and its key; copied to tables that a load makes. Names of columns are fields of the schema. */
export interface TableStructure {
  comment?: string | undefined;
  columns: readonly ColumnStructure[];
  indexes: readonly IndexStructure[];
}

export interface ColumnStructure {
  field: string;
  comment?: string | undefined;
  /** A literal, or a function that every SQL system has: `'new'`, `0`, `now()`. */
  default?: string | undefined;
  /** The system counts it up. */
  identity?: boolean | undefined;
}

export interface IndexStructure {
  name: string;
  unique: boolean;
  /** Undefined when it is of expressions. */
  fields: readonly string[] | undefined;
  /** How the system of the source says it, after the name of the table; `dialect` as in the schema. */
  definition?: { dialect: string; sql: string } | undefined;
}
