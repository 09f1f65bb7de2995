/** Daily files of tenants, each with records of its own: 20 columns of text, numbers, days, moments and truth values. */
import { join } from 'node:path';
import { addDays } from '../src/core/units.ts';
import { readFileForm } from '../src/generate/files/file-form.ts';
import { generateFiles } from '../src/generate/files/generate-files.ts';
import { openModel } from '../src/generate/open-model.ts';

/** Types for PostgreSQL that hold what the files hold. */
export const COLUMNS = `id bigint, tenant text, unit bigint, contract text, status text, rent numeric(8,2), deposit numeric(8,2),
  rate numeric(5,4), area numeric(5,1), rooms bigint, born date, moved_in date, updated_at timestamp, active boolean, score bigint,
  email text, phone text, city text, zip text, note text`;

export const HEADER: string = COLUMNS.split(/,\s+(?=[a-z])/)
  .map((column) => column.split(' ')[0])
  .join(',');

const FIRST_DAY = '2025-01-01';

export interface TenantFiles {
  folder: string;
  files: number;
  rows: number;
  /** Share of the records that have no number where one has to be; none when absent. */
  broken?: number;
}

export function fileName(day: number): string {
  return `tenants_${addDays(FIRST_DAY, day).replaceAll('-', '')}.csv`;
}

/** Makes files `from..from + files`, each with `rows` records; resolves to how many are broken. */
export async function makeFiles(
  { folder, files, rows, broken }: TenantFiles,
  from: number = 0,
): Promise<number> {
  const model = { model: 'tenants', rows, inserts: rows, updates: 0, from: FIRST_DAY };
  const made = await generateFiles(openModel(model), {
    form: readFileForm(join(folder, '{table}_{date}.csv')),
    content: 'changes',
    days: files,
    fromDay: from,
    // Benchmarks of one run share a folder.
    force: true,
    ...(broken !== undefined && {
      faults: { rate: broken, kinds: ['wrong-type' as const], fields: ['rent'] },
    }),
  });
  return made.reduce((sum, { faults }) => sum + (faults['wrong-type'] ?? 0), 0);
}
