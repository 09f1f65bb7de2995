/** Paths with `*` (no slash), `**` (any), `?`, `[a-z]`, `[!a-z]` and `{a,b}`. */
export interface Glob {
  /** What all paths that fit begin with: up to the last slash before the first special character. */
  prefix: string;
  matches(path: string): boolean;
}

export function parseGlob(pattern: string): Glob {
  const clean = pattern.replace(/^\.\//, '');
  const plain = /^[^*?[{]*/.exec(clean)![0];
  const expression = new RegExp(`^${translate(clean)}$`, 'su');
  return {
    prefix: plain === clean ? clean : plain.slice(0, plain.lastIndexOf('/') + 1),
    matches: (path) => expression.test(path),
  };
}

/** Alternatives may not be nested. */
const TOKEN = /\*\*\/|\*\*|\*|\?|\[!?[^\]]+\]|\{[^{}]*\}|[\s\S]/gu;

function translate(pattern: string): string {
  return pattern.replace(TOKEN, (token) => {
    if (token === '**/') return '(?:.*/)?';
    if (token === '**') return '.*';
    if (token === '*') return '[^/]*';
    if (token === '?') return '[^/]';
    if (token.length > 1 && token.startsWith('['))
      return `[${token.slice(1, -1).replace(/^!/, '^').replaceAll('\\', '\\\\')}]`;
    if (token.length > 1 && token.startsWith('{'))
      return `(?:${token.slice(1, -1).split(',').map(translate).join('|')})`;
    return token.replace(/[.*+?^${}()|[\]\\/]/u, '\\$&');
  });
}
