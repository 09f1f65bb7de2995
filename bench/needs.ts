/** Programs of the machine that a benchmark compares with. */
import { existsSync } from 'node:fs';
import path from 'node:path';

const FOLDERS = [...(process.env['PATH'] ?? '').split(path.delimiter), '/usr/sbin'];

export function hasProgram(name: string): boolean {
  return FOLDERS.some((folder) => existsSync(path.join(folder, name)));
}

/** Those that are not here. */
export function missingPrograms(names: readonly string[]): string[] {
  return names.filter((name) => !hasProgram(name));
}
