/** What `sluice singer-target` loads into, and how: from its flags, its configuration file, and a project where one is named. */
import { readFile } from 'node:fs/promises';
import type { PipelineDefinition } from '../config/define.ts';
import { parseProject } from '../config/load-project.ts';
import { isWildcard, matcher, wildcardWeight } from '../config/stream-name.ts';
import { messagesConnector } from '../connectors/singer/index.ts';
import type { BatchStream, MessageBatch } from '../connectors/singer/message-intake.ts';
import { type TargetOptions, targetOptions } from '../connectors/singer/options.ts';
import type { Connector } from '../core/connector.ts';
import { ConfigError } from '../core/errors.ts';
import type { PipelineConfig, StreamOptions } from '../core/project.ts';
import type { LoadStrategy } from '../core/stream.ts';
import { parseDuration, parseSize } from '../core/units.ts';
import type { ProjectContext } from '../engine/context.ts';
import type { Invocation } from './command.ts';
import { readCount } from './run-options.ts';
import { connectionFromUrl, looksLikeUrl } from './url-project.ts';

/** Name of the pipeline; it stands in the run history. */
export const PIPELINE = 'singer';
const MESSAGES = 'messages';
const DESTINATION = 'destination';

export interface TargetSettings {
  load: NonNullable<TargetOptions['load']>;
  /** What has come is loaded after so many rows, bytes, or seconds. */
  rows: number;
  bytes: number;
  seconds: number;
  extracted: boolean;
  context: ProjectContext;
}

const DEFAULTS = { rows: 1_000_000, bytes: 1_000_000_000, seconds: 300 };

export async function readTargetSettings(invocation: Invocation): Promise<TargetSettings> {
  const { flags } = invocation;
  const file = flags.text('config');
  const given = file === undefined ? {} : await readConfig(file);
  const options: TargetOptions = {
    ...given,
    ...defined({
      to: invocation.arguments[0],
      load: readLoad(flags.text('load')),
      flush_rows: readCount(flags, 'flush-rows'),
      flush_size: amount(flags.text('flush-size'), parseSize),
      flush_after: amount(flags.text('flush-after'), parseDuration),
      extracted_at: flags.on('extracted-at') || undefined,
    }),
  };
  if (options.to === undefined)
    throw new ConfigError('singer-target: nothing says where records go', {
      code: 'cli.usage',
      remedy: 'name a connection or a URL, or `to` in the file of --config',
    });
  const whole = options.load === 'replace';
  return {
    load: options.load ?? 'auto',
    // What takes the place of everything has to be there as a whole.
    rows: whole ? Infinity : (options.flush_rows ?? DEFAULTS.rows),
    bytes: whole ? Infinity : (options.flush_size ?? DEFAULTS.bytes),
    seconds: whole ? Infinity : (options.flush_after ?? DEFAULTS.seconds),
    extracted: options.extracted_at ?? false,
    context: await contextOf(invocation, options, options.to),
  };
}

function defined(options: TargetOptions): TargetOptions {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function amount(written: string | undefined, parse: (text: string) => number): number | undefined {
  return written === undefined ? undefined : parse(written);
}

const LOADS = ['auto', 'append', 'merge', 'replace'] as const;

function readLoad(written: string | undefined): TargetOptions['load'] {
  const found = LOADS.find((load) => load === written);
  if (written === undefined || found) return found;
  throw new ConfigError(`--load: "${written}" is none of ${LOADS.join(', ')}`, { code: 'cli.usage' });
}

async function readConfig(file: string): Promise<TargetOptions> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(file, 'utf8'));
  } catch (error) {
    const found = error instanceof SyntaxError ? 'is no JSON' : 'cannot be read';
    throw new ConfigError(`reading ${file}: it ${found}`, { code: 'singer.file', cause: error });
  }
  const { success, data, error } = targetOptions.safeParse(value);
  if (success) return data;
  const mistakes = error.issues.map(({ path, message }) =>
    [path.join('.'), message].filter(Boolean).join(': '),
  );
  throw new ConfigError(`reading ${file}: ${mistakes.join('; ')}`, {
    code: 'singer.config',
    remedy: 'docs/connectors/singer.md lists what it may have',
    details: { mistakes },
  });
}

/** A project whose only pipeline leads from the messages to where they go. */
async function contextOf(
  { services, project: path }: Invocation,
  { memory, ...given }: TargetOptions,
  to: string,
): Promise<ProjectContext> {
  const { defaults, streams = { '*': {} } } = given;
  const known = await services.connectors();
  const url = looksLikeUrl(to);
  const destination = url ? connectionFromUrl(known, to, 'destination') : { type: 'lake', path: '.' };
  const pipeline = { from: MESSAGES, to: DESTINATION, defaults, streams } as PipelineDefinition;
  const own = parseProject(
    {
      connections: { [MESSAGES]: { type: 'singer-messages' }, [DESTINATION]: destination },
      pipelines: { [PIPELINE]: pipeline },
      state: url && destination.type === 'lake' ? { type: 'lake', connection: DESTINATION } : 'sqlite',
      ...(memory !== undefined && { memory: memory as number }),
    },
    { directory: process.cwd(), connectors: known },
  );
  if (url) return { project: own, connectors: known };
  const { project } = await services.openProject(path);
  const found = project.connections[to];
  if (!found || !known.get(found.type)?.capabilities.destination)
    throw new ConfigError(`"${to}" is no connection of the project that can be written to, and no URL`, {
      code: 'cli.unknown_connection',
      remedy: 'a path begins with "/" or "./"',
    });
  const { pipelines, connections } = own;
  const declared = project.pipelines[PIPELINE];
  const isOurs = declared && project.connections[declared.from]?.type === connections[MESSAGES]!.type;
  return {
    project: {
      ...project,
      memoryBytes: memory === undefined ? project.memoryBytes : own.memoryBytes,
      connections: { ...project.connections, [MESSAGES]: connections[MESSAGES]! },
      pipelines: {
        [PIPELINE]: { ...pipelines[PIPELINE]!, ...(isOurs && optionsOf(declared, given)), to },
      },
    },
    connectors: known,
  };
}

/** What the project says of its pipeline for messages, unless the file says something else. */
function optionsOf(
  { defaults, streams }: PipelineConfig,
  given: Pick<TargetOptions, 'defaults' | 'streams'>,
): Partial<PipelineConfig> {
  return {
    ...(given.defaults === undefined && { defaults }),
    ...(given.streams === undefined && { streams }),
  };
}

function withMessages(
  connectors: ReadonlyMap<string, Connector>,
  batch: MessageBatch,
): ReadonlyMap<string, Connector> {
  const messages = messagesConnector(batch) as unknown as Connector;
  return new Map([...connectors, [messages.name, messages]]);
}

/** The project that loads one batch. */
export function batchContext(settings: TargetSettings, batch: MessageBatch): ProjectContext {
  const { project, connectors } = settings.context;
  const pipeline = project.pipelines[PIPELINE]!;
  const streams = Object.fromEntries(
    batch.streams.map((stream) => [stream.name, loadOf(settings, pipeline, stream)]),
  );
  return {
    project: { ...project, pipelines: { [PIPELINE]: { ...pipeline, streams } } },
    connectors: withMessages(connectors, batch),
  };
}

function loadOf(
  { load }: TargetSettings,
  pipeline: PipelineConfig,
  { name, key, replaces }: BatchStream,
): StreamOptions {
  const own = streamOptions(pipeline, name) || {};
  const keyed = (own.key ?? pipeline.defaults?.key ?? key).length > 0;
  const usual: LoadStrategy = load !== 'auto' ? load : keyed ? 'merge' : 'append';
  return { ...own, load: replaces ? 'replace' : (own.load ?? pipeline.defaults?.load ?? usual) };
}

/** What is said of a stream, by its name or by the closest wildcard; false: it is left out. */
export function streamOptions({ streams }: PipelineConfig, name: string): StreamOptions | false {
  if (Object.hasOwn(streams, name)) return streams[name]!;
  const [closest] = Object.keys(streams)
    .filter((entry) => isWildcard(entry) && matcher(entry)(name))
    .toSorted((a, b) => wildcardWeight(b) - wildcardWeight(a));
  return closest === undefined ? {} : streams[closest]!;
}
