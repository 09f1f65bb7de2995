import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Connector, ConnectorContext } from '../core/connector.ts';
import type { Destination } from '../core/destination.ts';
import { ConfigError } from '../core/errors.ts';
import type { ConnectionConfig, PipelineConfig, Project } from '../core/project.ts';
import { engineMemory } from '../core/memory.ts';
import { redactUrl } from '../core/redact.ts';
import type { Source } from '../core/source.ts';
import type { StateStore } from '../core/state.ts';
import type { ObjectStorage } from '../core/storage.ts';
import { keptFolder, type KeptHome } from '../gate/kept-storage.ts';

/** A project and the connectors that it may use. */
export interface ProjectContext {
  project: Project;
  connectors: ReadonlyMap<string, Connector>;
}

export interface Resources {
  memoryBytes: number;
  workers: number;
  /** Undefined: as usual. */
  batchBytes?: number | undefined;
  /** Of a source: how many slices at once may have rules, and what the DuckDB of the lane has that each goes to. */
  rules?: { threads: number; laneBytes: number } | undefined;
}

export function pipelineOf(context: ProjectContext, name: string): PipelineConfig {
  const pipeline = context.project.pipelines[name];
  if (pipeline) return pipeline;
  const known = Object.keys(context.project.pipelines);
  throw new ConfigError(`there is no pipeline "${name}"`, {
    code: 'config.no_pipeline',
    remedy: `there is: ${known.join(', ') || 'none'}`,
  });
}

export async function openSource(
  context: ProjectContext,
  connection: string,
  resources: Resources,
): Promise<Source> {
  const { connector, options, place } = findConnection(context, connection, resources);
  if (!connector.openSource) throw cannot(connection, connector, 'read from');
  const source = await connector.openSource(options, place);
  // Also without rules: rows that they have put aside may be read again when they are gone.
  const { ruledSource } = await import('../rules/ruled-source.ts');
  return ruledSource(source, {
    ...(resources.rules ?? { threads: 1, laneBytes: engineMemory(resources.memoryBytes) }),
    tempDirectory: join(place.directory, '.sluice', `rules-${process.pid}`),
    batchBytes: resources.batchBytes,
  });
}

export async function openDestination(
  context: ProjectContext,
  connection: string,
  resources: Resources,
): Promise<Destination> {
  const { connector, options, place } = findConnection(context, connection, resources);
  if (!connector.openDestination) throw cannot(connection, connector, 'written to');
  return connector.openDestination(options, place);
}

/** Whether the source of a pipeline needs a part of the memory for an engine of its own. */
export function hasEngine(context: ProjectContext, { from, streams }: PipelineConfig): boolean {
  const config = context.project.connections[from];
  const engine = (config && context.connectors.get(config.type)?.capabilities.engine) ?? false;
  if (typeof engine === 'boolean') return engine;
  return Object.values(streams).some((stream) => stream !== false && engine(stream));
}

/** Wire forms that a destination takes as they are. */
export function acceptedBy(context: ProjectContext, connection: string): readonly string[] {
  const config = context.project.connections[connection];
  return (config && context.connectors.get(config.type)?.capabilities.accepts) ?? [];
}

/** The object storage of a connection, for the catalog and for leases beside the data. */
export async function openStorage(context: ProjectContext, connection: string): Promise<ObjectStorage> {
  const { connector, options, place } = findConnection(context, connection, {
    memoryBytes: context.project.memoryBytes,
    workers: 1,
  });
  if (!connector.openStorage) throw cannot(connection, connector, 'used as a lake');
  return connector.openStorage(options, place);
}

/** Where records lie that did not fit: beside the state, so that everyone who shares it can read them. */
export async function openQuarantine(
  context: ProjectContext,
  to: string,
  aside: string = '',
): Promise<KeptHome> {
  const { state, directory, connections } = context.project;
  if (state.type === 'sqlite')
    return {
      storage: keptFolder(join(directory, '.sluice', 'quarantine')),
      prefix: `${to}${aside}`,
      readers: to,
    };
  // What lies there is swept; another project may call another system by the same name.
  const identity = createHash('sha256').update(redactUrl(JSON.stringify(connections[to])));
  const readers = `_sluice/quarantine/${to}-${identity.digest('hex').slice(0, 8)}`;
  return { storage: await openStorage(context, state.connection), prefix: `${readers}${aside}`, readers };
}

/** Where leases and run history live. */
export async function openState(context: ProjectContext): Promise<StateStore> {
  const { state, directory } = context.project;
  if (state.type === 'sqlite') {
    const { openSqliteState } = await import('../state/sqlite.ts');
    return openSqliteState(join(directory, state.path));
  }
  const { openObjectState } = await import('../state/object-state.ts');
  return openObjectState(await openStorage(context, state.connection), '_sluice/state');
}

/** A connection of a project, ready to be opened. */
export interface FoundConnection {
  connector: Connector;
  options: unknown;
  place: ConnectorContext;
}

export function findConnection(context: ProjectContext, name: string, resources: Resources): FoundConnection {
  const config = context.project.connections[name];
  const connector = config && context.connectors.get(config.type);
  if (!config || !connector) {
    throw new ConfigError(`there is no connection "${name}"`, {
      code: 'config.no_connection',
      remedy: `there is: ${Object.keys(context.project.connections).join(', ') || 'none'}`,
    });
  }
  return {
    connector,
    options: optionsOf(connector, config),
    place: { name, directory: context.project.directory, ...resources },
  };
}

function optionsOf(connector: Connector, config: ConnectionConfig): unknown {
  const { type: _, ...given } = config;
  const parsed = connector.options.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new ConfigError(
    `options of a ${connector.name} connection: ${parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ')}`,
    {
      code: 'config.invalid',
    },
  );
}

function cannot(name: string, connector: Connector, what: string): ConfigError {
  return new ConfigError(`connection "${name}" (${connector.title}) cannot be ${what}`, {
    code: 'config.direction',
  });
}
