import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Folder of the repository. */
export const root: string = fileURLToPath(new URL('../..', import.meta.url));

/** For tests of the built package; `npm test` builds it first. */
export function requireBuild(): void {
  if (!existsSync(new URL('../../dist/cli/main.js', import.meta.url))) {
    throw new Error('the package is not built; run: npm run build');
  }
}
