/** Made-up records for programs: what `sluice generate` does. What is heavy is loaded on first use. */
import type { SqlSystem } from './connectors/shared/sql/system.ts';
import { ConfigError } from './core/errors.ts';
import type { ProjectContext } from './engine/context.ts';
import type { ApiOptions, ApiServer } from './generate/api/api-options.ts';
import type { GeneratedFile, GenerateFilesOptions } from './generate/files/generate-files.ts';
import type { ModelOptions } from './generate/open-model.ts';
import type * as Tables from './generate/tables/generate-tables.ts';
import type { GenerateTablesOptions } from './generate/tables/generate-tables.ts';
import type { GeneratedTable } from './generate/tables/table-maker.ts';
import { openProject, type ProjectInput, type ProjectOptions } from './library.ts';

/**
 * Serves made-up records as a REST API on the loopback address, until it is closed: pages of every kind, filters, sign-in, and
 * whatever can go wrong with any of these. The same options make the same records.
 *
 * ```ts
 * import { serveApi } from 'sluice';
 *
 * const api = await serveApi({ model: 'lending', rows: 1000 }, { paging: 'cursor', hostile: { loans: ['429:1@3'] } });
 * const response = await fetch(`${api.url}/loans?limit=500`);
 * console.log(await response.json(), api.requests.length);
 * await api.close();
 * ```
 */
export async function serveApi(model: ModelOptions = {}, options: ApiOptions = {}): Promise<ApiServer> {
  return (await import('./generate/api/serve-api.ts')).serveApi(model, options);
}

/**
 * Makes files, or tables in a database of a project, of made-up records. The same options make the same records.
 *
 * ```ts
 * import { defineProject, generate, postgres } from 'sluice';
 *
 * const faults = { rate: 0.01 };
 * await generate.files('./landing/{table}_{date}.csv.gz', { rows: 5000 }, { days: 30, content: 'changes', faults });
 *
 * const project = defineProject({ connections: { shop: postgres({ url: 'postgres://localhost/shop' }) } });
 * await generate.tables(project, 'shop', { rows: 100_000, deletes: 50 });
 * for (const { table, updated } of await generate.nextDays(project, 'shop', 1)) console.log(table, updated);
 * ```
 */
export const generate: {
  /** Files with a path that has placeholders, see docs/generate.md. */
  files(
    path: string,
    model?: ModelOptions,
    options?: Omit<GenerateFilesOptions, 'form'>,
  ): Promise<GeneratedFile[]>;
  /** Tables as they are at the end of the last of some days. */
  tables(
    project: ProjectInput,
    connection: string,
    model?: ModelOptions,
    options?: GenerateTablesOptions & ProjectOptions,
  ): Promise<GeneratedTable[]>;
  /** Has days pass in tables that were made so. */
  nextDays(
    project: ProjectInput,
    connection: string,
    days: number,
    options?: Omit<GenerateTablesOptions, 'days' | 'replace' | 'faults'> & ProjectOptions,
  ): Promise<GeneratedTable[]>;
} = {
  files: async (path, model = {}, options = {}) => {
    const [{ openModel }, { readFileForm }, { generateFiles }] = await Promise.all([
      import('./generate/open-model.ts'),
      import('./generate/files/file-form.ts'),
      import('./generate/files/generate-files.ts'),
    ]);
    return generateFiles(openModel(model), { ...options, form: readFileForm(path) });
  },
  tables: async (project, connection, model = {}, options = {}) =>
    inDatabase(await openProject(project, options), connection, async (system) =>
      (await tables()).generateTables(system, model, options),
    ),
  nextDays: async (project, connection, days, options = {}) =>
    inDatabase(await openProject(project, options), connection, async (system) =>
      (await tables()).liveOn(system, days, options),
    ),
};

function tables(): Promise<typeof Tables> {
  return import('./generate/tables/generate-tables.ts');
}

/** Opens the database of a connection, and closes it at the end. */
export async function inDatabase<T>(
  context: ProjectContext,
  connection: string,
  work: (system: SqlSystem) => Promise<T>,
): Promise<T> {
  const { findConnection } = await import('./engine/context.ts');
  const { openSqlSystem } = await import('./connectors/sql-systems.ts');
  const resources = { memoryBytes: context.project.memoryBytes, workers: 1 };
  const { connector, options, place } = findConnection(context, connection, resources);
  const system = await openSqlSystem(connector.name, options, place);
  if (!system)
    throw new ConfigError(
      `connection "${connection}" (${connector.title}) holds no tables that can be made`,
      {
        code: 'config.direction',
        remedy: 'name a database: PostgreSQL, MySQL, MariaDB or a DuckDB file',
      },
    );
  try {
    return await work(system);
  } finally {
    await system.close();
  }
}
