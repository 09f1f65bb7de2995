/** The program as a library: what the commands `plan`, `check`, `run`, `verify` and `catalog` do. What is heavy is loaded on first use. */
import { stat } from 'node:fs/promises';
import type { Catalog } from './catalog/index.ts';
import type { ProjectDefinition } from './config/define.ts';
import { type Environment, escapePlaceholders } from './config/environment.ts';
import type { Connector } from './core/connector.ts';
import { ConfigError } from './core/errors.ts';
import { engineMemory } from './core/memory.ts';
import type { ConnectionConfig } from './core/project.ts';
import type { ProjectContext } from './engine/context.ts';
import type { DiagnoseOptions, DiagnosisReport } from './engine/diagnose-types.ts';
import type {
  QuarantinedRecord,
  QuarantineReadOptions,
  QuarantineScope,
  QuarantineSummary,
  ReplayOptions,
} from './engine/quarantine-ops.ts';
import type { RepairOptions, RepairReport } from './engine/repair.ts';
import type {
  AcceptedSchema,
  SchemaDiff,
  SchemaDiffOptions,
  SchemaHistory,
  SchemaScope,
  StreamSchema,
} from './engine/schema-ops.ts';
import type {
  ExchangeReport,
  PromoteOptions,
  ShadowCompareOptions,
  ShadowReport,
  ShadowScope,
} from './engine/shadow-types.ts';
import type { PipelinePlan, RunOptions, RunReport } from './engine/types.ts';
import type { VerifyOptions, VerifyReport } from './engine/verify-types.ts';

/** What `defineProject` returns, or the path of a project file or of the folder that it is in. */
export type ProjectInput<Pipeline extends string = string> = ProjectDefinition<string, Pipeline> | string;

export interface ProjectOptions {
  /** Folder that relative paths start from when the project is not a file; the current folder when absent. */
  directory?: string | undefined;
  /** Values of `env()` and `${NAME}`; those of the process when absent. */
  env?: Environment | undefined;
  /** Connectors of your own; one with the name of a built-in connector takes its place. */
  connectors?: readonly Connector[] | undefined;
}

/**
 * Runs a pipeline of a project: loads what is new since the last run, and commits it exactly once.
 *
 * Resolves also when streams have failed or the run was stopped: `status` and `streams` of the report say so. Rejects
 * with a {@link SluiceError} when nothing could be started: a `ConfigError` when the project is wrong, an `AuthError`
 * or `TransientError` when one of the ends cannot be reached.
 *
 * ```ts
 * import { defineProject, env, lake, postgres, run } from 'sluice';
 *
 * const project = defineProject({
 *   connections: { shop: postgres({ url: env('SHOP_URL') }), lake: lake({ path: './lake' }) },
 *   pipelines: {
 *     shop_to_lake: { from: 'shop', to: 'lake', streams: { 'public.orders': { load: 'merge', cursor: 'updated_at' } } },
 *   },
 * });
 *
 * const report = await run(project, 'shop_to_lake', {
 *   onEvent: (event) => {
 *     if (event.kind === 'slice-committed') console.log(`${event.stream}: ${event.loaded} rows`);
 *   },
 * });
 * if (report.status !== 'succeeded') process.exitCode = 1;
 * ```
 */
export async function run<Pipeline extends string>(
  project: ProjectInput<Pipeline>,
  pipeline: NoInfer<Pipeline>,
  options: RunOptions & ProjectOptions = {},
): Promise<RunReport> {
  const context = await openProject(project, options);
  const { runPipeline } = await import('./engine/run.ts');
  return runPipeline(context, pipeline, options);
}

/**
 * What {@link run} would do now: for each stream the slices, the window and the changes to the table. Reads both ends
 * and writes nothing.
 *
 * ```ts
 * import { plan } from 'sluice';
 *
 * const { streams } = await plan('./sluice.yaml', 'shop_to_lake', { select: ['public.*'] });
 * for (const { stream, window, slices } of streams) console.log(stream.name, window, slices.length);
 * ```
 */
export async function plan<Pipeline extends string>(
  project: ProjectInput<Pipeline>,
  pipeline: NoInfer<Pipeline>,
  options: RunOptions & ProjectOptions = {},
): Promise<PipelinePlan> {
  const context = await openProject(project, options);
  const { planPipeline } = await import('./engine/plan.ts');
  return planPipeline(context, pipeline, options);
}

/**
 * Looks for rows that {@link run} would change or stop at: the destination says what its columns do not hold, and the source
 * counts the rows that have it, where they are. Reads both ends and writes nothing. Resolves whatever is found: `status` says so.
 *
 * ```ts
 * import { diagnose } from 'sluice';
 *
 * const { status, streams } = await diagnose('./sluice.yaml', 'shop_to_mirror', { rows: 1_000_000 });
 * for (const { stream, findings } of streams)
 *   for (const { columns, problem, rows } of findings) console.log(stream, columns, problem, rows);
 * if (status === 'refused') process.exitCode = 4;
 * ```
 */
export async function diagnose<Pipeline extends string>(
  project: ProjectInput<Pipeline>,
  pipeline: NoInfer<Pipeline>,
  options: DiagnoseOptions & ProjectOptions = {},
): Promise<DiagnosisReport> {
  const context = await openProject(project, options);
  const { diagnosePipeline } = await import('./engine/diagnose.ts');
  return diagnosePipeline(context, pipeline, options);
}

/**
 * Compares the streams of a pipeline with their tables: each system makes checksums of its own rows, and rows that differ
 * are named by key. Reads both ends and writes nothing. Resolves also when they differ: `status` says so.
 *
 * ```ts
 * import { verify } from 'sluice';
 *
 * const { status, streams } = await verify('./sluice.yaml', 'shop_to_lake', { limit: 100 });
 * for (const { stream, missing, differences } of streams) console.log(stream, missing, differences);
 * if (status !== 'equal') process.exitCode = 4;
 * ```
 */
export async function verify<Pipeline extends string>(
  project: ProjectInput<Pipeline>,
  pipeline: NoInfer<Pipeline>,
  options: VerifyOptions & ProjectOptions = {},
): Promise<VerifyReport> {
  const context = await openProject(project, options);
  const { verifyPipeline } = await import('./engine/verify.ts');
  return verifyPipeline(context, pipeline, options);
}

/**
 * Shadow runs: tables beside those that readers see are loaded with the project as it is now, compared with them inside the
 * destination, and put in their place.
 *
 * ```ts
 * import { shadow } from 'sluice';
 *
 * await shadow.run('./sluice.yaml', 'shop_to_mirror', { select: ['public.orders'] });
 * const { status, streams } = await shadow.compare('./sluice.yaml', 'shop_to_mirror', { limit: 100 });
 * for (const { stream, changed, onlyShadow } of streams) console.log(stream, changed, onlyShadow);
 * if (status === 'equal') await shadow.promote('./sluice.yaml', 'shop_to_mirror');
 * ```
 */
export const shadow: {
  /** Like {@link run}; `into` is `shadow` unless told. */
  run<Pipeline extends string>(
    project: ProjectInput<Pipeline>,
    pipeline: NoInfer<Pipeline>,
    options?: RunOptions & ProjectOptions,
  ): Promise<RunReport>;
  /** Reads the destination and writes nothing. Resolves also when the tables differ: `status` says so. */
  compare<Pipeline extends string>(
    project: ProjectInput<Pipeline>,
    pipeline: NoInfer<Pipeline>,
    options?: ShadowCompareOptions & ProjectOptions,
  ): Promise<ShadowReport>;
  /** Compares, and swaps when the tables are equal or `force` is set; `status` says which. */
  promote<Pipeline extends string>(
    project: ProjectInput<Pipeline>,
    pipeline: NoInfer<Pipeline>,
    options?: PromoteOptions & ProjectOptions,
  ): Promise<ExchangeReport>;
  /** Gives readers the tables that they had before. */
  rollback<Pipeline extends string>(
    project: ProjectInput<Pipeline>,
    pipeline: NoInfer<Pipeline>,
    options?: ShadowScope & ProjectOptions,
  ): Promise<ExchangeReport>;
  /** Removes shadow tables and former ones. */
  drop<Pipeline extends string>(
    project: ProjectInput<Pipeline>,
    pipeline: NoInfer<Pipeline>,
    options?: ShadowScope & ProjectOptions,
  ): Promise<ExchangeReport>;
} = {
  run: (project, pipeline, options = {}) => run(project, pipeline, { into: 'shadow', ...options }),
  compare: async (project, pipeline, options = {}) =>
    (await import('./engine/shadow-compare.ts')).compareShadow(
      await openProject(project, options),
      pipeline,
      options,
    ),
  promote: async (project, pipeline, options = {}) =>
    (await import('./engine/shadow-exchange.ts')).promoteShadow(
      await openProject(project, options),
      pipeline,
      options,
    ),
  rollback: async (project, pipeline, options = {}) =>
    (await import('./engine/shadow-exchange.ts')).rollbackShadow(
      await openProject(project, options),
      pipeline,
      options,
    ),
  drop: async (project, pipeline, options = {}) =>
    (await import('./engine/shadow-exchange.ts')).dropShadow(
      await openProject(project, options),
      pipeline,
      options,
    ),
};

/**
 * Makes the indexes and foreign keys that tables in the destination of a pipeline are without: those that a large load took
 * away, and those that could not be made so far. Every run does that for its own tables; this is for when there is none.
 *
 * ```ts
 * import { repair } from 'sluice';
 *
 * const { parts } = await repair('./sluice.yaml', 'replicate');
 * for (const { table, name, status, reason } of parts) console.log(table, name, status, reason);
 * ```
 */
export async function repair<Pipeline extends string>(
  project: ProjectInput<Pipeline>,
  pipeline: NoInfer<Pipeline>,
  options: RepairOptions & ProjectOptions = {},
): Promise<RepairReport> {
  const context = await openProject(project, options);
  const { repairPipeline } = await import('./engine/repair.ts');
  return repairPipeline(context, pipeline, options);
}

/**
 * Records that did not fit the tables of a pipeline: what is there, and what becomes of it.
 *
 * ```ts
 * import { quarantine } from 'sluice';
 *
 * for (const { stream, run, rows, reasons } of await quarantine.list('./sluice.yaml', 'snapshots'))
 *   console.log(stream, run, rows, reasons[0]?.reason);
 * for await (const { file, line, reason, raw } of quarantine.read('./sluice.yaml', 'snapshots', { limit: 20 }))
 *   console.log(file, line, reason, raw);
 * const report = await quarantine.replay('./sluice.yaml', 'snapshots', { select: ['tenants'] });
 * ```
 */
export const quarantine: {
  /** What each run has put aside of each stream. */
  list<Pipeline extends string>(
    project: ProjectInput<Pipeline>,
    pipeline: NoInfer<Pipeline>,
    options?: QuarantineScope & ProjectOptions,
  ): Promise<QuarantineSummary[]>;
  /** The records. */
  read<Pipeline extends string>(
    project: ProjectInput<Pipeline>,
    pipeline: NoInfer<Pipeline>,
    options?: QuarantineReadOptions & ProjectOptions,
  ): AsyncIterable<QuarantinedRecord>;
  /** Reads them again with the options of now, and loads those that fit; the others stay. Undefined: there are none. */
  replay<Pipeline extends string>(
    project: ProjectInput<Pipeline>,
    pipeline: NoInfer<Pipeline>,
    options?: ReplayOptions & ProjectOptions,
  ): Promise<RunReport | undefined>;
  /** Gives them up; resolves to how many. */
  drop<Pipeline extends string>(
    project: ProjectInput<Pipeline>,
    pipeline: NoInfer<Pipeline>,
    options?: QuarantineScope & ProjectOptions,
  ): Promise<number>;
  /** Writes them to a file, `.csv`, `.jsonl` or `.parquet`; resolves to how many. */
  export<Pipeline extends string>(
    project: ProjectInput<Pipeline>,
    pipeline: NoInfer<Pipeline>,
    options: QuarantineScope & ProjectOptions & { to: string },
  ): Promise<number>;
} = {
  list: async (project, pipeline, options = {}) =>
    (await import('./engine/quarantine-ops.ts')).listQuarantine(
      await openProject(project, options),
      pipeline,
      options,
    ),
  async *read(project, pipeline, options = {}) {
    const { readQuarantine } = await import('./engine/quarantine-ops.ts');
    yield* readQuarantine(await openProject(project, options), pipeline, options);
  },
  replay: async (project, pipeline, options = {}) =>
    (await import('./engine/quarantine-ops.ts')).replayQuarantine(
      await openProject(project, options),
      pipeline,
      options,
    ),
  drop: async (project, pipeline, options = {}) =>
    (await import('./engine/quarantine-ops.ts')).dropQuarantine(
      await openProject(project, options),
      pipeline,
      options,
    ),
  export: async (project, pipeline, options) =>
    (await import('./engine/quarantine-ops.ts')).exportQuarantine(
      await openProject(project, options),
      pipeline,
      options,
    ),
};

/**
 * The columns of the tables of a pipeline: what they are, what they were, and what the next run would make of them.
 *
 * ```ts
 * import { schema } from 'sluice';
 *
 * for (const { stream, status, changes } of await schema.diff('./sluice.yaml', 'shop_to_lake'))
 *   if (status === 'stops') console.log(stream, changes);
 * const { changes } = await schema.accept('./sluice.yaml', 'shop_to_lake', 'public.orders');
 * for (const { stream, versions } of await schema.history('./sluice.yaml', 'shop_to_lake'))
 *   for (const { version, at, changes: each } of versions) console.log(stream, version, at, each);
 * ```
 */
export const schema: {
  /** Columns as they are committed. */
  show<Pipeline extends string>(
    project: ProjectInput<Pipeline>,
    pipeline: NoInfer<Pipeline>,
    options?: SchemaScope & ProjectOptions,
  ): Promise<StreamSchema[]>;
  /** What the next run would change, or stop at. Reads both ends and writes nothing. */
  diff<Pipeline extends string>(
    project: ProjectInput<Pipeline>,
    pipeline: NoInfer<Pipeline>,
    options?: SchemaDiffOptions & ProjectOptions,
  ): Promise<SchemaDiff[]>;
  /** Every version of the columns, newest first. */
  history<Pipeline extends string>(
    project: ProjectInput<Pipeline>,
    pipeline: NoInfer<Pipeline>,
    options?: SchemaScope & ProjectOptions,
  ): Promise<SchemaHistory[]>;
  /** Lets the next run take the columns that the source has now, and no others. */
  accept<Pipeline extends string>(
    project: ProjectInput<Pipeline>,
    pipeline: NoInfer<Pipeline>,
    stream: string,
    options?: { fullRefresh?: boolean | undefined } & ProjectOptions,
  ): Promise<AcceptedSchema>;
} = {
  show: async (project, pipeline, options = {}) =>
    (await import('./engine/schema-ops.ts')).showSchemas(
      await openProject(project, options),
      pipeline,
      options,
    ),
  diff: async (project, pipeline, options = {}) =>
    (await import('./engine/schema-ops.ts')).diffSchemas(
      await openProject(project, options),
      pipeline,
      options,
    ),
  history: async (project, pipeline, options = {}) =>
    (await import('./engine/schema-ops.ts')).schemaHistory(
      await openProject(project, options),
      pipeline,
      options,
    ),
  accept: async (project, pipeline, stream, options = {}) =>
    (await import('./engine/schema-ops.ts')).acceptSchema(
      await openProject(project, options),
      pipeline,
      stream,
      options,
    ),
};

/**
 * The catalog of a lake, given as a path or as the connection of a project: its tables, what is in them, and SQL over
 * them. Close it when it is no longer needed.
 *
 * ```ts
 * import { openCatalog } from 'sluice';
 *
 * const catalog = await openCatalog('./lake');
 * const { columns, batches } = await catalog.select('select status, count(*) from orders group by status');
 * console.log(columns.map(({ name }) => name));
 * for await (const rows of batches) for (const row of rows) console.log(row);
 * await catalog.close();
 * ```
 */
export async function openCatalog(
  lake: string | ConnectionConfig,
  options: ProjectOptions = {},
): Promise<Catalog> {
  const connectors = await allConnectors(options);
  const connection = typeof lake === 'string' ? connectionAt(lake, connectors) : lake;
  const context = await openProject({ connections: { lake: connection } }, options);
  const [{ openStorage }, catalog] = await Promise.all([
    import('./engine/context.ts'),
    import('./catalog/index.ts'),
  ]);
  const storage = await openStorage(context, 'lake');
  return catalog.openCatalog({ storage, memoryBytes: engineMemory(context.project.memoryBytes) });
}

/** The project that a program has given, checked. */
export async function openProject(input: ProjectInput, options: ProjectOptions): Promise<ProjectContext> {
  const { loadProject, parseProject } = await import('./config/load-project.ts');
  const connectors = await allConnectors(options);
  const { env } = options;
  if (typeof input !== 'string') {
    return {
      project: parseProject(input, { directory: options.directory ?? '.', env, connectors }),
      connectors,
    };
  }
  const isFolder = await stat(input).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const where = isFolder ? { directory: input } : { file: input };
  return { project: await loadProject({ ...where, env, connectors }), connectors };
}

async function allConnectors({ connectors: own = [] }: ProjectOptions): Promise<Map<string, Connector>> {
  const { connectors } = await import('./connectors/registry.ts');
  return new Map([...(await connectors()), ...own.map((connector) => [connector.name, connector] as const)]);
}

function connectionAt(path: string, connectors: ReadonlyMap<string, Connector>): ConnectionConfig {
  for (const connector of connectors.values()) {
    const found = connector.openStorage && connector.fromUrl(path);
    if (found === undefined || typeof found !== 'object' || found === null) continue;
    // A path is meant as it stands; in a project, `${` would begin a variable.
    const literal = Object.entries(found).map(([name, value]) => [
      name,
      typeof value === 'string' ? escapePlaceholders(value) : (value as unknown),
    ]);
    return { ...(Object.fromEntries(literal) as Record<string, unknown>), type: connector.name };
  }
  throw new ConfigError(`opening a catalog: "${path}" is no place where a lake can be`, {
    code: 'catalog.no_lake',
    remedy: 'name the folder of the lake',
  });
}
