/** A run in a process of its own that is killed before one of its changes of files. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { FileLake } from './file-lake.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Whether it was killed, before the change number `at` of files whose paths fit. */
export async function killedAt(pair: FileLake, at: number, on: string = 'spool|commits'): Promise<boolean> {
  writeFileSync(path.join(pair.folder, 'sluice.yaml'), JSON.stringify(pair.project));
  const child = spawn(
    process.execPath,
    ['--import', './test/support/die-at.ts', 'src/cli/main.ts', 'run', '--project', pair.folder, '--json'],
    { cwd: root, env: { ...process.env, DIE_AT: String(at), DIE_ON: on }, stdio: 'ignore' },
  );
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (signal === null) expect(code).toBe(0);
  return signal !== null;
}
