/** What a table has beside its columns and its key; copied to tables that a load makes. Names of columns are fields of the schema. */
export interface TableStructure {
  comment?: string | undefined;
  columns: readonly ColumnStructure[];
  indexes: readonly IndexStructure[];
  foreignKeys?: readonly ForeignKeyStructure[] | undefined;
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

export interface ForeignKeyStructure {
  name: string;
  fields: readonly string[];
  /** A source names its own stream and columns; a destination is handed its own table and the fields that it has. */
  references: { table: string; fields: readonly string[] };
  onDelete: ReferenceAction;
  onUpdate: ReferenceAction;
  /** When it is looked at; undefined: with each statement, always. */
  deferrable?: 'immediate' | 'deferred' | undefined;
  /** A key of several columns is NULL in all of them or in none. */
  full?: boolean | undefined;
}

export type ReferenceAction = 'no action' | 'restrict' | 'cascade' | 'set null' | 'set default';
