/** Tables that others refer to come before those. Pure. */

/** Groups, one after the other, in the order of the names within; who is part of a circle comes with the last. */
export function inOrder<T>(
  items: readonly T[],
  nameOf: (item: T) => string,
  references: ReadonlyMap<string, readonly string[]>,
): T[][] {
  const groups: T[][] = [];
  let left = [...items];
  while (left.length > 0) {
    const names = new Set(left.map(nameOf));
    const ready = left.filter((item) => {
      const own = nameOf(item);
      return !references.get(own)?.some((name) => name !== own && names.has(name));
    });
    const group = ready.length > 0 ? ready : left;
    groups.push(group);
    left = left.filter((item) => !group.includes(item));
  }
  return groups;
}
