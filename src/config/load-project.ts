/** Finds a project file and reads it. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Connector } from '../core/connector.ts';
import { ConfigError } from '../core/errors.ts';
import type { Project } from '../core/project.ts';
import { checkProject } from './check-project.ts';
import type { ProjectDefinition } from './define.ts';
import type { Environment } from './environment.ts';
import { importProject, unreadable } from './import-project.ts';
import { readValue } from './tree.ts';

/** Names that a project file may have. */
export const PROJECT_FILES: readonly string[] = [
  'sluice.yaml',
  'sluice.yml',
  'sluice.config.ts',
  'sluice.config.mts',
  'sluice.config.js',
  'sluice.config.mjs',
];

export interface LoadOptions {
  /** Where to look, from there upwards; the current folder when absent. */
  directory?: string | undefined;
  /** A file to read instead of looking for one; relative to `directory`. */
  file?: string | undefined;
  /** Values of `${NAME}`; those of the process when absent. */
  env?: Environment | undefined;
  connectors: ReadonlyMap<string, Connector>;
}

/**
 * Reads the project file. Throws ConfigError: `config.not_found`, `config.ambiguous` (two files in one folder),
 * `config.unreadable`, or `config.invalid` with everything that is wrong in `details.mistakes`.
 */
export async function loadProject(options: LoadOptions): Promise<Project> {
  const directory = resolve(options.directory ?? '.');
  const file = options.file === undefined ? findProject(directory) : resolve(directory, options.file);
  const environment = options.env ?? process.env;
  const project = { file, directory: dirname(file), connectors: options.connectors };
  if (!isModule(file)) {
    const text = await readText(file);
    // Loaded only where it is needed: a TypeScript project starts without it.
    const { readYaml } = await import('./read-yaml.ts');
    return checkProject(readYaml(text, environment), project);
  }
  return checkProject(readValue(await readModule(file), environment), project);
}

/** A project that a program made with `defineProject`, checked in the same way; `directory` is where its paths start. */
export function parseProject(
  definition: ProjectDefinition,
  options: { directory: string; env?: Environment | undefined; connectors: ReadonlyMap<string, Connector> },
): Project {
  const directory = resolve(options.directory);
  const tree = readValue(definition, options.env ?? process.env);
  return checkProject(tree, { file: 'the project', directory, connectors: options.connectors });
}

/** The file in this folder or the nearest one above it. */
function findProject(directory: string): string {
  for (let folder = directory; ; folder = dirname(folder)) {
    const found = PROJECT_FILES.filter((name) => existsSync(join(folder, name)));
    if (found.length > 1) {
      throw new ConfigError(`looking for the project in ${folder}: there are ${found.join(' and ')}`, {
        code: 'config.ambiguous',
        remedy: 'keep one of them, or name the one to use',
        details: { directory: folder, files: found },
      });
    }
    if (found[0] !== undefined) return join(folder, found[0]);
    if (dirname(folder) === folder) break;
  }
  throw new ConfigError(
    `looking for the project: no sluice.yaml or sluice.config.ts in ${directory} or above it`,
    {
      code: 'config.not_found',
      remedy: 'sluice init writes one',
      details: { directory },
    },
  );
}

function isModule(file: string): boolean {
  return /\.[cm]?[jt]s$/.test(file);
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw unreadable(file, { found: code === 'ENOENT' ? NO_FILE : message, cause: error });
  }
}

/** What a program exports. */
async function readModule(file: string): Promise<unknown> {
  // Node's own message for this one speaks of the module that wanted to import it.
  if (!existsSync(file)) throw unreadable(file, { found: NO_FILE });
  return importProject(file);
}

const NO_FILE = 'there is no such file';
