/** A column, quoted, and what it gets, as SQL. */
export interface Assigned {
  column: string;
  value: string;
}

/** `from`: a quoted table, and what may follow it. */
export function insertSelect(into: string, assigned: readonly Assigned[], from: string): string {
  const list = assigned.map(({ column }) => column).join(', ');
  return `INSERT INTO ${into} (${list}) SELECT ${assigned.map(({ value }) => value).join(', ')} FROM ${from}`;
}
