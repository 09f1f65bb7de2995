import { join } from 'node:path';
import { isWildcard } from '../../config/stream-name.ts';
import { ConfigError } from '../../core/errors.ts';
import type { PipelineDefinition } from '../../config/define.ts';
import type { StreamOptions } from '../../core/project.ts';
import type { LoadStrategy, PartitionBy } from '../../core/stream.ts';
import type { Flags } from '../arguments.ts';
import type { Command } from '../command.ts';
import { planPipelines } from '../plan-pipelines.ts';
import { runPipelines } from '../run-pipelines.ts';
import { connectionFromUrl, isPlainFolder, urlContext } from '../url-project.ts';

/** Name of the only pipeline; it stands in the run history of the lake. */
const PIPELINE = 'copy';

/** `sluice copy`: a pipeline made of two URLs and some flags. */
export const copy: Command = async (invocation) => {
  const { services, flags } = invocation;
  const [source = '', destination = ''] = invocation.arguments;
  const connectors = await services.connectors();
  const from = connectionFromUrl(connectors, source, 'source');
  if (isPlainFolder(from))
    throw new ConfigError(`"${source}" is a folder without a lake`, {
      code: 'cli.unknown_url',
      remedy: `files in it are named with their ending: '${join(source, '*.csv')}'`,
    });
  const to = connectionFromUrl(connectors, destination, 'destination');
  const [reads, writes] = [connectors.get(from.type)!, connectors.get(to.type)!];
  const pipeline = readPipeline(flags, reads.streamFromUrl?.(source, writes.capabilities));
  const context = urlContext(connectors, {
    connections: { source: from, destination: to },
    pipelines: { [PIPELINE]: pipeline },
    // With the data, so that a one-off leaves nothing in the current folder and the next one finds it.
    state: to.type === 'lake' ? { type: 'lake', connection: 'destination' } : 'sqlite',
  });
  const go = flags.on('dry-run') ? planPipelines : runPipelines;
  return go(invocation, context, [PIPELINE]);
};

/** `described`: what the source itself says, where it names a stream. */
function readPipeline(
  flags: Flags,
  described: { name: string; options: StreamOptions } | undefined,
): PipelineDefinition {
  const query = flags.text('sql');
  const name = flags.text('name');
  const tables = flags.list('table');
  const options = readStreamOptions(flags);
  if (described) {
    if (query !== undefined || tables.length > 0)
      throw usageError('the path says which files are read: --sql and --table mean nothing for them');
    const streams = { [name ?? described.name]: { ...described.options, ...options } };
    return { from: 'source', to: 'destination', streams };
  }
  if (query !== undefined) {
    if (name === undefined) throw usageError('--sql needs --name, the name of the table in the destination');
    if (tables.length > 0) throw usageError('--sql and --table exclude each other');
    return { from: 'source', to: 'destination', streams: { [name]: { ...options, sql: query } } };
  }
  if (name !== undefined && (tables.length !== 1 || isWildcard(tables[0] ?? ''))) {
    throw usageError('--name goes with --sql or with one --table');
  }
  if (name !== undefined) options.table = name;
  const wanted = tables.length > 0 ? tables : ['*'];
  return {
    from: 'source',
    to: 'destination',
    streams: Object.fromEntries(wanted.map((table) => [table, options])),
  };
}

const STRATEGIES: readonly LoadStrategy[] = ['append', 'merge', 'replace', 'delete-insert', 'scd2'];
const UNITS: readonly PartitionBy['by'][] = ['hour', 'day', 'month', 'year', 'value'];

function readStreamOptions(flags: Flags): StreamOptions {
  const options: StreamOptions = {};
  const load = flags.text('load');
  if (load !== undefined) options.load = oneOf('load', load, STRATEGIES);
  const cursor = flags.list('cursor');
  if (cursor.length > 0) options.cursor = cursor;
  const key = flags.list('key');
  if (key.length > 0) options.key = key;
  const where = flags.text('where');
  if (where !== undefined) options.where = where;
  const partition = flags.text('partition-by');
  if (partition !== undefined) {
    // The column may hold a colon, the unit does not.
    const colon = partition.lastIndexOf(':');
    if (colon <= 0) throw usageError(`--partition-by: "${partition}" has no unit; write column:day`);
    options.partition_by = {
      column: partition.slice(0, colon),
      by: oneOf('partition-by', partition.slice(colon + 1), UNITS),
    };
  }
  return options;
}

function oneOf<T extends string>(flag: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((value) => value === text);
  if (found === undefined) throw usageError(`--${flag}: "${text}" is none of ${allowed.join(', ')}`);
  return found;
}

function usageError(message: string): ConfigError {
  return new ConfigError(message, { code: 'cli.usage', remedy: 'sluice copy --help shows examples' });
}
