/** A command in a process of its own that is killed before one of its changes of files. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Whether it was killed, before the change number `at` of files whose paths fit `on`; when absent, those that die-at.ts names. */
export async function killedAt(
  pair: { folder: string; project: object },
  at: number,
  { args = ['run'], on }: { args?: readonly string[]; on?: string } = {},
): Promise<boolean> {
  writeFileSync(path.join(pair.folder, 'sluice.yaml'), JSON.stringify(pair.project));
  const child = spawn(
    process.execPath,
    ['--import', './test/support/die-at.ts', 'src/cli/main.ts', ...args, '--project', pair.folder, '--json'],
    {
      cwd: root,
      env: { ...process.env, DIE_AT: String(at), ...(on !== undefined && { DIE_ON: on }) },
      stdio: 'ignore',
    },
  );
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null];
  if (signal === null) expect(code).toBe(0);
  return signal !== null;
}
