/** Streams as the project file takes them: what it refuses cannot be loaded, whatever the engine could do. */
import { parseProject } from '../../src/config/load-project.ts';
import { connectors } from '../../src/connectors/registry.ts';
import type { Streams } from '../pair.ts';

const known = await connectors();

export function checkedStreams(streams: Record<string, unknown>): Streams {
  const connections = {
    from: { type: 'postgres', url: 'postgres://127.0.0.1/x' },
    to: { type: 'lake', path: './lake' },
  };
  const input = { connections, pipelines: { p: { from: 'from', to: 'to', streams } } };
  const { pipelines } = parseProject(input as never, { directory: '.', env: {}, connectors: known });
  return pipelines['p']!.streams as Streams;
}
