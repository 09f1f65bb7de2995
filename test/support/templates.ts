/** Data folders that are made once for all tests, and copied for each server. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestProject } from 'vitest/node';
import { makeMariadbTemplate, mariadbMissing } from '../../src/testing/mariadb-server.ts';
import { startPostgres } from '../../src/testing/postgres-server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    templates: { postgres: string; mariadb: string | undefined };
  }
}

export async function setup(project: TestProject): Promise<() => void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-templates-'));
  // The servers' accounts pass through; what lies in it is theirs.
  chmodSync(folder, 0o711);
  const [postgres, mariadb] = [path.join(folder, 'postgres'), path.join(folder, 'mariadb')];
  // Only they use it.
  const present = project.name === 'servers' && mariadbMissing() === undefined;
  await Promise.all([
    startPostgres({ dataDir: postgres }).then((server) => server.stop('fast')),
    present && makeMariadbTemplate(mariadb),
  ]);
  project.provide('templates', { postgres, mariadb: present ? mariadb : undefined });
  return () => rmSync(folder, { recursive: true, force: true });
}
