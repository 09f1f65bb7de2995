import { hint } from '../config/suggest.ts';
import { ConfigError } from '../core/errors.ts';
import type { ProjectContext } from '../engine/context.ts';
import type { Invocation } from './command.ts';
import { connectionFromUrl, looksLikeUrl, urlContext } from './url-project.ts';

/** The connections that `[connection or url]` means: the one named, or all of the project that play the role, or could. */
export async function pickConnections(
  invocation: Invocation,
  role: 'source' | 'destination' | undefined,
): Promise<{ context: ProjectContext; names: string[] }> {
  const { services } = invocation;
  const [wanted] = invocation.arguments;
  if (wanted !== undefined && looksLikeUrl(wanted)) {
    const connectors = await services.connectors();
    const connection = connectionFromUrl(connectors, wanted, role);
    return {
      context: urlContext(connectors, { connections: { [connection.type]: connection } }),
      names: [connection.type],
    };
  }
  const context = await services.openProject(invocation.project);
  const { connections } = context.project;
  const able = Object.keys(connections).filter((name) => {
    const connector = context.connectors.get(connections[name]?.type ?? '');
    return role === undefined || connector?.capabilities[role] === true;
  });
  if (wanted === undefined) {
    const sources = new Set(Object.values(context.project.pipelines).map(({ from }) => from));
    const used = role === undefined ? able : able.filter((name) => sources.has(name));
    if (able.length > 0) return { context, names: used.length > 0 ? used : able };
    throw new ConfigError(`the project has no connection to use as a ${role ?? 'connection'}`, {
      code: 'cli.no_connection',
    });
  }
  if (able.includes(wanted)) return { context, names: [wanted] };
  const why =
    wanted in connections
      ? `cannot be used as a ${role ?? 'connection'}`
      : `unknown connection${hint(wanted, able)}`;
  throw new ConfigError(`"${wanted}": ${why}`, { code: 'cli.unknown_connection' });
}

/** Uses something that has to be closed, also when using it fails. */
export async function closing<T>(opened: { close(): Promise<void> }, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } finally {
    await opened.close();
  }
}
