/** What the machine and the server can do at best: a binary COPY that is received and thrown away. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Command } from './measure.ts';

export interface Limit {
  /** Who receives. */
  name: string;
  /** `what` is a table, or a query in parentheses. */
  command(url: string, what: string): Command;
}

/** psql where it is installed; otherwise a socket of our own, which is as fast. */
export async function findLimit(): Promise<Limit> {
  const version = await promisify(execFile)('psql', ['--version']).then(
    ({ stdout }) => /[\d.]+/.exec(stdout)?.[0],
    () => undefined,
  );
  return version === undefined ? drain : psql(version);
}

function psql(version: string): Limit {
  return {
    name: `psql ${version}`,
    command: (url, what) => ({
      program: 'psql',
      // Neither encryption nor the user's settings; the rows go to /dev/null.
      args: ['-X', '-q', '-d', `${url}?sslmode=disable&gssencmode=disable`, '-c', copyStatement(what)],
      output: false,
    }),
  };
}

const drain: Limit = {
  name: 'raw socket',
  command: (url, what) => ({
    program: process.execPath,
    args: [fileURLToPath(new URL('./drain.ts', import.meta.url)), url, copyStatement(what)],
    output: false,
  }),
};

function copyStatement(what: string): string {
  return `COPY ${what} TO STDOUT (FORMAT binary)`;
}
