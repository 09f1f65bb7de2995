/** The project file that `sluice init` writes, in TypeScript instead of YAML. */

/**
 * Rewrites the YAML of a new project, so that both forms say the same. Its comments are lost: in TypeScript the editor
 * explains the options.
 */
export async function renderTypescript(yaml: string): Promise<string> {
  // Loaded here, since only this option of one command needs it.
  const { parse } = await import('yaml');
  const project = parse(yaml) as {
    connections: Record<string, Record<string, unknown>>;
    pipelines: Record<string, unknown>;
  };
  const connections = Object.entries(project.connections).map(([name, { type, ...options }]) => {
    return `    ${key(name)}: ${String(type)}(${literal(options, 4)}),`;
  });
  const makers = [...new Set(Object.values(project.connections).map(({ type }) => String(type)))];
  const body = connections.join('\n');
  const imports = ['defineProject', ...(body.includes('env(') ? ['env'] : []), ...makers].sort();
  return [
    `import { ${imports.join(', ')} } from 'sluice';`,
    '',
    'export default defineProject({',
    '  connections: {',
    body,
    '  },',
    `  pipelines: ${literal(project.pipelines, 2, 3)},`,
    '});',
    '',
  ].join('\n');
}

/** `depth` levels of objects stand on lines of their own, what is deeper on one line. */
function literal(value: unknown, indent: number, depth = 0): string {
  if (typeof value === 'string') return text(value);
  if (Array.isArray(value)) return `[${value.map((item) => literal(item, indent)).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return String(value);
  const entries = Object.entries(value);
  if (entries.length === 0) return '{}';
  if (depth === 0)
    return `{ ${entries.map(([name, item]) => `${key(name)}: ${literal(item, indent)}`).join(', ')} }`;
  const pad = ' '.repeat(indent + 2);
  const lines = entries.map(([name, item]) => `${pad}${key(name)}: ${literal(item, indent + 2, depth - 1)},`);
  return `{\n${lines.join('\n')}\n${' '.repeat(indent)}}`;
}

function text(value: string): string {
  const variable = /^\$\{(\w+)\}$/.exec(value);
  return variable ? `env('${variable[1]}')` : quote(value);
}

function key(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? name : quote(name);
}

/** JSON escapes everything that a single-quoted string cannot hold, but for the quote itself. */
function quote(value: string): string {
  return `'${JSON.stringify(value).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;
}
