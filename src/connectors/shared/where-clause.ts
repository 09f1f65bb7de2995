/** The WHERE clause of a relation's own condition and that of the slice that is read; either may be absent. */
export function whereBoth(where: string | undefined, slice: string | undefined): string {
  const conditions = [where === undefined ? undefined : `(${where})`, slice].filter((c) => c !== undefined);
  return conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
}
