/** A command in a process of its own that is killed before one of its changes of files. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Options {
  /** The command, `run` when absent. */
  args?: readonly string[];
  /** Paths of files whose changes count; when absent, those that die-at.ts names. */
  on?: string;
  /** Its standard input. */
  input?: string;
}

export interface Died {
  killed: boolean;
  /** Lines of its standard output. */
  lines: string[];
}

/** Runs a command that is killed before the change number `at`; one that comes to its end has to succeed. */
export async function dieAt(
  pair: { folder: string; project: object },
  at: number,
  { args = ['run'], on, input = '' }: Options = {},
): Promise<Died> {
  writeFileSync(path.join(pair.folder, 'sluice.yaml'), JSON.stringify(pair.project));
  const child = spawn(
    process.execPath,
    ['--import', './test/support/die-at.ts', 'src/cli/main.ts', ...args, '--project', pair.folder],
    { cwd: root, env: { ...process.env, DIE_AT: String(at), ...(on !== undefined && { DIE_ON: on }) } },
  );
  let [out, told] = ['', ''];
  child.stdout.on('data', (text) => (out += String(text)));
  child.stderr.on('data', (text) => (told += String(text)));
  // It may be gone before it has read all.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (signal === null) expect(code, told).toBe(0);
  return { killed: signal !== null, lines: out.split('\n').slice(0, -1) };
}

/** The same; only whether it was killed. */
export async function killedAt(...args: Parameters<typeof dieAt>): Promise<boolean> {
  return (await dieAt(...args)).killed;
}
