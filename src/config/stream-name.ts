/** Names of streams as they stand in a project: `public.orders`, `public."Order Items"`, `public.country_*`. */

const QUOTED = /"((?:[^"]|"")*)"/g;

/** Whether the name has a * outside of double quotes. */
export function isWildcard(name: string): boolean {
  return name.replace(QUOTED, '').includes('*');
}

/** What is wrong with the name, whether or not a source has such a stream. */
export function nameMistake(name: string): string | undefined {
  if (name.trim() === '') return 'a stream needs a name';
  if (name !== name.trim()) return 'the name has spaces around it';
  const bare = name.replace(QUOTED, '""');
  if (bare.includes('**')) return 'one * already stands for any number of characters';
  if (bare.replaceAll('""', '').includes('"')) return 'a quote in the name is not closed';
  const other = /[?[\]{}%]/.exec(bare)?.[0];
  if (other !== undefined)
    return `"${other}" is no wildcard here, only * is; names that have it are written in double quotes`;
  return undefined;
}

/**
 * A test for names that the wildcard stands for; `*` is any number of characters, dots as well. Names in quotes are also
 * known without them: `public.a*` stands for `public."a b.c"`.
 */
export function matcher(wildcard: string): (name: string) => boolean {
  const parts = wildcard.replace(/"(?:[^"]|"")*"|\*/g, (part) => (part === '*' ? '\0' : part)).split('\0');
  if (parts.length === 1) return (name) => name === wildcard;
  const fits = partsMatcher(parts);
  return (name) => fits(name) || (name.includes('"') && fits(withoutQuotes(name)));
}

function withoutQuotes(name: string): string {
  return name.replace(QUOTED, (_, inner: string) => inner.replaceAll('""', '"'));
}

function partsMatcher(parts: readonly string[]): (name: string) => boolean {
  const [first = '', last = ''] = [parts[0], parts.at(-1)];
  // Looked for one after another, never tried again: no wildcard can take long.
  return (name) => {
    if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last))
      return false;
    const end = name.length - last.length;
    let at = first.length;
    for (const part of parts.slice(1, -1)) {
      const found = name.indexOf(part, at);
      if (found < 0 || found + part.length > end) return false;
      at = found + part.length;
    }
    return true;
  };
}

/** How much of a name the wildcard pins down; the more, the more it counts. */
export function wildcardWeight(wildcard: string): number {
  return wildcard.replaceAll('*', '').length;
}

/**
 * The table that a stream goes to unless `table` says otherwise: `public.orders` → `orders`, `sales.orders` →
 * `sales_orders`, `public."Order Items"` → `Order_Items`. It is the name of a folder and of a view, so only letters,
 * digits and `_` remain.
 */
export function tableName(stream: string): string {
  const parts = [...stream.matchAll(/"((?:[^"]|"")*)"|[^."]+/g)].map(
    ([part, quoted]) => quoted?.replaceAll('""', '"') ?? part,
  );
  const named = parts.length > 1 && parts[0] === 'public' ? parts.slice(1) : parts;
  const table = named
    .join('_')
    .trim()
    .replace(/[^\p{L}\p{N}_]+/gu, '_');
  return table === '' ? 'stream' : table;
}
