/** Finds the name that somebody meant. */

/** The candidate nearest to `found`, when it is near enough to be worth asking about. */
export function nearest(found: string, candidates: Iterable<string>): string | undefined {
  const wanted = found.toLowerCase();
  // A third of the letters may be wrong; more is another word.
  let best = Math.max(1, Math.floor(found.length / 3)) + 1;
  let name: string | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toLowerCase(), best);
    if (distance < best) [best, name] = [distance, candidate];
  }
  return name ?? completion(wanted, candidates);
}

/** `orders` → `public.orders`: the one candidate whose last part is what was written. */
function completion(wanted: string, candidates: Iterable<string>): string | undefined {
  const ends = [...candidates].filter((candidate) => candidate.toLowerCase().endsWith(`.${wanted}`));
  return ends.length === 1 ? ends[0] : undefined;
}

/** `did you mean "x"?`, else the names there are, else nothing. */
export function hint(found: string, candidates: readonly string[], label = 'known are'): string {
  const name = nearest(found, candidates);
  if (name !== undefined) return `; did you mean "${name}"?`;
  if (candidates.length === 0) return '';
  const shown = candidates.slice(0, 20).join(', ');
  return `; ${label} ${shown}${candidates.length > 20 ? ', …' : ''}`;
}

/**
 * Letters to insert, delete, replace or swap with their neighbour to turn `a` into `b`; `limit` or more is all the
 * same to the caller, so the count stops there.
 */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    if (Math.min(...row) >= limit) return limit;
    [before, last] = [last, row];
  }
  return last[b.length] ?? limit;
}
