/**
 * Runs a project file that is a program. What it imports from `sluice` is of the Sluice that runs, also where the folder of the
 * project has no `node_modules`; and whatever goes wrong is told with file and line.
 */
import { spawnSync } from 'node:child_process';
import module from 'node:module';
import { dirname, isAbsolute, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ConfigError, SluiceError } from '../core/errors.ts';
import { redactUrl } from '../core/redact.ts';
import { displayName } from './mistakes.ts';

const PACKAGE = 'sluice';
const RUNNING = new URL(`../index${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url).href;
const NEWER_NODE = 'use Node 22.18 or newer, or write the project as sluice.config.mjs or sluice.yaml';
const EXPORT = 'write: export default defineProject({ … })';

/** The default export of `file`, which is there. Throws ConfigError `config.unreadable`. */
export async function importProject(file: string): Promise<unknown> {
  const url = pathToFileURL(file).href;
  const loaded: string[] = [];
  const hooks = ownImports(loaded);
  let found: unknown;
  try {
    found = ((await import(url)) as { default?: unknown }).default;
  } catch (error) {
    throw notRun(file, loaded, error);
  } finally {
    hooks.remove();
  }
  const wrong = notAProject(found);
  if (wrong) throw unreadable(file, { found: wrong.found, remedy: wrong.remedy });
  return found;
}

function notAProject(found: unknown): { found: string; remedy: string } | undefined {
  if (found === undefined) return { found: 'it has no default export', remedy: EXPORT };
  if (typeof found === 'function')
    return { found: 'its default export is a function, and not a project', remedy: EXPORT };
  if (found instanceof Promise)
    return {
      found: 'its default export is a promise, and not a project',
      remedy: 'write: export default await …',
    };
  return undefined;
}

/** Adds to `loaded` the URLs of the modules that are run, as they come. */
function ownImports(loaded: string[]): { remove(): void } {
  // Named imports of what Node 22.13 does not have would keep this module from being loaded there.
  if (typeof module.registerHooks !== 'function') {
    // Nothing takes these away again; whoever else imports the package gets the one that runs, too.
    module.register(`data:text/javascript,${encodeURIComponent(RESOLVE)}`, {
      data: { name: PACKAGE, running: RUNNING, from: import.meta.url },
    });
    return { remove: () => undefined };
  }
  const hooks = module.registerHooks({
    resolve(specifier, context, next) {
      if (specifier === PACKAGE) return { url: RUNNING, shortCircuit: true };
      if (specifier.startsWith(`${PACKAGE}/`))
        return next(specifier, { ...context, parentURL: import.meta.url });
      const found = next(specifier, context);
      // Node would look into the file to find out, and warn that this takes time.
      return process.features.typescript !== false && found.format == null && found.url.endsWith('.ts')
        ? { ...found, format: 'module-typescript' }
        : found;
    },
    load(url, context, next) {
      loaded.push(url);
      return next(url, context);
    },
  });
  return { remove: () => hooks.deregister() };
}

/** The first of the hooks above, for a thread of their own. */
const RESOLVE = `
let own;
export function initialize(data) { own = data; }
export async function resolve(specifier, context, next) {
  if (specifier === own.name) return { url: own.running, shortCircuit: true };
  if (specifier.startsWith(own.name + '/')) return next(specifier, { ...context, parentURL: own.from });
  return next(specifier, context);
}`;

function notRun(file: string, loaded: readonly string[], error: unknown): ConfigError {
  const { code, message = String(error) } = error as { code?: string; message?: string };
  const cause = { cause: error };
  switch (code) {
    case 'ERR_UNKNOWN_FILE_EXTENSION':
      return unreadable(file, {
        found: `Node ${process.versions.node} does not run TypeScript`,
        remedy: NEWER_NODE,
        ...cause,
      });
    case 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX':
      return unreadable(file, {
        found: message,
        spot: spotOf(error, file),
        remedy: 'Node leaves types out and runs the rest as it is: write it without',
        ...cause,
      });
    case 'ERR_MODULE_NOT_FOUND': {
      const [, path] = /^Cannot find module '(.*)' imported from/.exec(message) ?? [];
      const remedy =
        path !== undefined && !/\.\w+$/.test(path)
          ? 'an import names the whole file, with its ending: ./tables.ts'
          : undefined;
      return unreadable(file, { found: message, remedy, ...cause });
    }
    default:
      return unreadable(file, {
        found: message,
        remedy: error instanceof SluiceError ? error.remedy : undefined,
        spot: spotOf(error, file) ?? syntaxSpot(error, loaded, file),
        ...cause,
      });
  }
}

/** `tables.ts:10:3`: where in a file of the project an error was thrown. */
function spotOf(error: unknown, project: string): string | undefined {
  const { stack, message } = error as { stack?: unknown; message?: unknown };
  if (typeof stack !== 'string') return undefined;
  // What is said may look like a place; before it stands that of a mistake in the syntax, after it calls.
  const places = typeof message === 'string' && message !== '' ? stack.replace(message, '') : stack;
  for (const line of places.split('\n')) {
    const place =
      /^(?:file:\/\/)?(?<path>\/.*|[A-Za-z]:\\.*?):(?<at>\d+)$/.exec(line) ??
      /^ +at (?:.*\(|async )?file:\/\/(?<path>\/.*?):(?<at>\d+:\d+)\)?$/.exec(line);
    const { path = '', at = '' } = place?.groups ?? {};
    if (path === '' || path.includes('/node_modules/') || isOurs(path)) continue;
    return `${nameIn(project, fromUrl(path))}:${at}`;
  }
  return undefined;
}

/** Our own functions throw what the caller has to correct. */
function isOurs(path: string): boolean {
  return path.startsWith(dirname(dirname(new URL(import.meta.url).pathname)));
}

/** Of JavaScript that cannot be read, Node tells the line to nobody but the terminal. */
function syntaxSpot(error: unknown, loaded: readonly string[], project: string): string | undefined {
  const last = loaded.at(-1);
  const path = last?.startsWith('file:') ? fileURLToPath(last) : project;
  if (!(error instanceof SyntaxError) || !/\.[cm]?js$/.test(path)) return undefined;
  const { stderr } = spawnSync(process.execPath, ['--check', path], { encoding: 'utf8' });
  const [, line] = /:(\d+)\n/.exec(stderr) ?? [];
  return line === undefined ? undefined : `${nameIn(project, path)}:${line}`;
}

function fromUrl(path: string): string {
  try {
    return fileURLToPath(`file://${path}`);
  } catch {
    return path;
  }
}

/** A file of a project as its people call it. */
function nameIn(project: string, path: string): string {
  const near = relative(dirname(project), path);
  return near.startsWith('..') || isAbsolute(near) ? path : near;
}

export function unreadable(
  file: string,
  {
    found,
    spot,
    remedy,
    cause,
  }: { found: string; spot?: string | undefined; remedy?: string | undefined; cause?: unknown },
): ConfigError {
  // The first line says what is wrong; Node adds its reader's advice below.
  const [text] = found.split('\n');
  const at = spot === undefined ? '' : `, at ${spot}`;
  return new ConfigError(redactUrl(`reading ${displayName(file)}: ${text}${at}`), {
    code: 'config.unreadable',
    remedy,
    details: { file },
    cause,
  });
}
