import { formatCount } from '../core/units.ts';

/** `1 row`, `2 rows`, `38.1K rows`. */
export function plural(count: number, one: string, many: string = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
