/** Loaded before a program: kills it before its n-th change of the commits of a lake or of the files of quarantine, n by DIE_AT. */
import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

let left = Number(process.env['DIE_AT']);

for (const name of ['link', 'rename', 'rm', 'unlink'] as const) {
  const real = files[name] as (...args: unknown[]) => Promise<unknown>;
  const dying = async (...args: unknown[]): Promise<unknown> => {
    const matters = args.some((arg) => /quarantine.*parquet$|commits/.test(String(arg)));
    if (matters && --left === 0) process.kill(process.pid, 'SIGKILL');
    return real(...args);
  };
  Object.assign(files, { [name]: dying });
}
syncBuiltinESMExports();
