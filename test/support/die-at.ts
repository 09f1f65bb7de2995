/**
 * Loaded before a program: kills it before its n-th change of files whose paths fit DIE_ON, n by DIE_AT. Without it they are the
 * commits of a lake and the files of quarantine.
 */
import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

let left = Number(process.env['DIE_AT']);
const matter = new RegExp(process.env['DIE_ON'] ?? 'quarantine.*parquet$|commits');

for (const name of ['link', 'rename', 'rm', 'unlink'] as const) {
  const real = files[name] as (...args: unknown[]) => Promise<unknown>;
  const dying = async (...args: unknown[]): Promise<unknown> => {
    const matters = args.some((arg) => matter.test(String(arg)));
    if (matters && --left === 0) process.kill(process.pid, 'SIGKILL');
    return real(...args);
  };
  Object.assign(files, { [name]: dying });
}
syncBuiltinESMExports();
