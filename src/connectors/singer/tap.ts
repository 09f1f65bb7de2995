/** A tap as the project describes it: how it is started, with which files. */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ConnectorContext } from '../../core/connector.ts';
import { ConfigError } from '../../core/errors.ts';
import { scratchName } from '../shared/scratch-files.ts';
import { sweepFolders } from '../shared/scratch-folders.ts';
import { storageError } from '../shared/storage-error.ts';
import { type Catalog, parseCatalog } from './catalog.ts';
import type { SingerOptions } from './options.ts';
import { maskOf } from './secrets.ts';
import { TapProcess } from './tap-process.ts';

/** Contents of files that a run gets; undefined: it gets no such file. */
export interface TapFiles {
  state?: string | undefined;
  catalog?: string | undefined;
}

const DISCOVERED_BYTES = 256 << 20;

export class Tap {
  readonly #options: SingerOptions;
  readonly #context: ConnectorContext;

  constructor(options: SingerOptions, context: ConnectorContext) {
    this.#options = options;
    this.#context = context;
  }

  /** Undefined: it has none. */
  async catalog(signal: AbortSignal): Promise<Catalog | undefined> {
    const { catalog, discover } = this.#options;
    if (catalog !== undefined)
      return parseCatalog(await this.#read(catalog, 'the catalog of a tap'), `"${catalog}"`);
    if (!discover) return undefined;
    const pieces: Uint8Array[] = [];
    const doing = 'asking a tap for its catalog';
    await this.run(doing, { files: {}, log: undefined, more: ['--discover'], signal }, async (tap) => {
      let bytes = 0;
      for await (const piece of tap.output())
        if ((bytes += piece.length) <= DISCOVERED_BYTES) pieces.push(piece);
      const problem = await tap.result();
      if (problem) throw problem;
    });
    return parseCatalog(Buffer.concat(pieces).toString('utf8'), 'what it printed');
  }

  /** Runs it, with files that lie there only while it does. */
  async run<T>(
    doing: string,
    {
      files,
      log,
      more = [],
      signal,
    }: { files: TapFiles; log: string | undefined; more?: readonly string[]; signal: AbortSignal },
    work: (process: TapProcess) => Promise<T>,
  ): Promise<T> {
    const { env = {}, directory = '.', timeout, command } = this.#options;
    const parent = path.join(this.#context.directory, '.sluice', 'singer');
    const folder = path.join(parent, scratchName('.run'));
    try {
      await makeFolder(folder, parent);
      const config = await this.#config(folder);
      const process = new TapProcess({
        doing,
        words: [...command, ...(await this.#words(folder, files, config)), ...more],
        directory: path.resolve(this.#context.directory, directory),
        env,
        timeout,
        mask: maskOf(config.values, env),
        log: log === undefined ? undefined : path.join(parent, logName(this.#context.name, log)),
        signal,
      });
      try {
        return await work(process);
      } finally {
        await process.close();
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** For people. */
  shown({ state, catalog }: TapFiles): string {
    const { command, config, properties } = this.#options;
    const given = [
      config && '--config',
      catalog && (properties ? '--properties' : '--catalog'),
      state && '--state',
    ];
    return [...command, ...given].filter(Boolean).join(' ');
  }

  async #words(folder: string, { state, catalog }: TapFiles, config: Config): Promise<string[]> {
    const words = config.file === undefined ? [] : ['--config', config.file];
    const add = async (option: string, name: string, content: string | undefined): Promise<void> => {
      if (content === undefined) return;
      const file = path.join(folder, name);
      await writeFile(file, content, { mode: 0o600 });
      words.push(option, file);
    };
    await add(this.#options.properties ? '--properties' : '--catalog', 'catalog.json', catalog);
    await add('--state', 'state.json', state);
    return words;
  }

  async #config(folder: string): Promise<Config> {
    const { config } = this.#options;
    if (config === undefined) return { file: undefined, values: undefined };
    if (typeof config !== 'string') {
      const file = path.join(folder, 'config.json');
      await writeFile(file, JSON.stringify(config), { mode: 0o600 });
      return { file, values: config };
    }
    const text = await this.#read(config, 'the configuration of a tap');
    try {
      return { file: path.resolve(this.#context.directory, config), values: JSON.parse(text) as unknown };
    } catch {
      throw new ConfigError(`reading the configuration of a tap: "${config}" is no JSON`, {
        code: 'singer.config',
      });
    }
  }

  async #read(file: string, what: string): Promise<string> {
    try {
      return await readFile(path.resolve(this.#context.directory, file), 'utf8');
    } catch (error) {
      throw new ConfigError(`reading ${what}: "${file}" cannot be read`, {
        code: 'singer.file',
        remedy: 'paths are relative to the project',
        cause: error,
      });
    }
  }
}

interface Config {
  file: string | undefined;
  values: unknown;
}

/** Nobody else may read what lies in it; what processes have left that are gone is removed. */
async function makeFolder(folder: string, parent: string): Promise<void> {
  try {
    await mkdir(parent, { recursive: true });
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    throw storageError(error, `making ${folder}`);
  }
  await sweepFolders(parent, '.run');
}

function logName(connection: string, stream: string): string {
  const plain = `${connection}-${stream}`.replaceAll(/[^\w.-]+/g, '_').slice(0, 100);
  const hash = createHash('sha256').update(`${connection}\0${stream}`).digest('hex').slice(0, 6);
  return plain === `${connection}-${stream}` ? `${plain}.log` : `${plain}-${hash}.log`;
}
