/** Connectors without a system behind them, with the real options: enough to load projects. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { lakeOptions } from '../connectors/lake/options.ts';
import { postgresOptions } from '../connectors/postgres/options.ts';
import type { Connector } from '../core/connector.ts';
import { ConfigError } from '../core/errors.ts';
import type { Mistake } from './mistakes.ts';

export function connector(
  name: string,
  options: Connector['options'],
  role: 'source' | 'destination',
): Connector {
  return {
    name,
    title: name,
    summary: `${name} for tests`,
    options,
    capabilities: { source: role === 'source', destination: role === 'destination', atomicCommit: true },
    fromUrl: () => undefined,
  };
}

export const connectors: ReadonlyMap<string, Connector> = new Map([
  ['postgres', connector('postgres', postgresOptions, 'source')],
  ['lake', connector('lake', lakeOptions, 'destination')],
]);

const root = mkdtempSync(join(tmpdir(), 'sluice-config-'));
afterAll(() => rmSync(root, { recursive: true }));

/** A new folder with these files, until the end of the tests. */
export function folder(files: Record<string, string>): string {
  const directory = mkdtempSync(join(root, 'project-'));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
  return directory;
}

/** The ConfigError that `act` ends with. */
export async function failure(act: () => unknown): Promise<ConfigError> {
  try {
    await act();
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('it went well');
}

/** `line:column path: message` of each mistake. */
export function mistakesOf(error: ConfigError): string[] {
  const mistakes = error.details['mistakes'] as Mistake[];
  return mistakes.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);
}
