import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ProjectDefinition } from '../config/define.ts';
import { escapePlaceholders } from '../config/environment.ts';
import { parseProject } from '../config/load-project.ts';
import type { Connector } from '../core/connector.ts';
import { ConfigError } from '../core/errors.ts';
import type { ConnectionConfig } from '../core/project.ts';
import { redactUrl } from '../core/redact.ts';
import type { ProjectContext } from '../engine/context.ts';

type Connectors = ReadonlyMap<string, Connector>;
type Role = 'source' | 'destination';

/** Whether an argument is meant as a URL or path rather than as the name of a connection. */
export function looksLikeUrl(text: string): boolean {
  return (
    /^[a-z][a-z0-9+.-]+:/i.test(text) ||
    /\.duckdb$/i.test(text) ||
    /^\.{1,2}$|^(?:\.{0,2}|[A-Za-z]:)[/\\]/.test(text)
  );
}

/** The connection that a URL or path stands for; `role` narrows the choice. */
export function connectionFromUrl(
  connectors: Connectors,
  url: string,
  role: Role | undefined,
): ConnectionConfig {
  const able = [...connectors.values()].filter(
    ({ capabilities }) => role === undefined || capabilities[role],
  );
  for (const connector of able) {
    const options = connector.fromUrl(url, role);
    if (options !== undefined) return { ...(options as Record<string, unknown>), type: connector.name };
  }
  throw new ConfigError(`"${redactUrl(url)}" is nothing that sluice knows as a ${role ?? 'connection'}`, {
    code: 'cli.unknown_url',
    remedy: `known are: ${able.map(({ name, title }) => `${name} (${title})`).join(', ')}`,
  });
}

/** Whether a path that stands for a lake is a folder without one. */
export function isPlainFolder({ type, path }: ConnectionConfig): boolean {
  if (type !== 'lake' || typeof path !== 'string' || path.startsWith('s3:')) return false;
  return (
    statSync(path, { throwIfNoEntry: false })?.isDirectory() === true && !existsSync(join(path, '_sluice'))
  );
}

/** A project that exists only while the command runs, checked like one that was read from a file. */
export function urlContext(connectors: Connectors, definition: ProjectDefinition): ProjectContext {
  // URLs and SQL come from a shell, which has filled in its own variables: `${` in them is meant as it stands.
  const literal = escapeAll(definition) as ProjectDefinition;
  return { project: parseProject(literal, { directory: process.cwd(), connectors }), connectors };
}

function escapeAll(value: unknown): unknown {
  if (typeof value === 'string') return escapePlaceholders(value);
  if (Array.isArray(value)) return value.map(escapeAll);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, escapeAll(item)]));
}
