/** Daily files of tenants, the same for each seed: 20 columns of text, whole numbers, decimals, dates and times. */
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { once } from 'node:events';
import { join } from 'node:path';

export const HEADER =
  'id,tenant,unit,region,status,rent,deposit,rate,area,rooms,born,moved_in,updated_at,active,score,email,phone,city,zip,note';

/** Types for PostgreSQL that hold what the files hold. */
export const COLUMNS = `id bigint, tenant text, unit bigint, region text, status text, rent numeric(8,2), deposit numeric(8,2),
  rate numeric(5,4), area numeric(5,1), rooms bigint, born date, moved_in date, updated_at timestamp, active boolean, score bigint,
  email text, phone text, city text, zip text, note text`;

export interface CsvFiles {
  folder: string;
  files: number;
  rows: number;
  /** One record in so many has no number where one has to be; none when absent. */
  badEvery?: number;
}

const STATUS = ['active', 'late', 'gone'];
const CITIES = ['Berlin', '"Köln, Ehrenfeld"', 'München', ''];

export function fileName(day: number): string {
  const date = new Date(Date.UTC(2025, 0, 1 + day)).toISOString().slice(0, 10).replaceAll('-', '');
  return `tenants_${date}.csv`;
}

/** Makes files `from..from + files`; each has `rows` records. */
export async function makeFiles(
  { folder, files, rows, badEvery }: CsvFiles,
  from: number = 0,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (let day = from; day < from + files; day++) {
    const stream = createWriteStream(join(folder, fileName(day)));
    stream.write(`${HEADER}\n`);
    let text = '';
    for (let i = 0; i < rows; i++) {
      text += record(day, day * rows + i, badEvery !== undefined && i % badEvery === badEvery - 1);
      if (text.length < 1 << 18) continue;
      if (!stream.write(text)) await once(stream, 'drain');
      text = '';
    }
    stream.end(text);
    await once(stream, 'close');
  }
}

function record(day: number, n: number, bad: boolean): string {
  // Knuth's multiplicative hash: numbers that look drawn, and are the same each time.
  const h = Math.imul(n + 1, 2_654_435_761) >>> 0;
  const two = (value: number): string => String(value).padStart(2, '0');
  const at = new Date(Date.UTC(2025, 0, 1 + day)).toISOString().slice(0, 10);
  return `${n},tenant ${n % 99_991},${h % 99_999},R${two(h % 20)},${STATUS[h % 3]},${bad ? 'n/a' : `${300 + (h % 2700)}.${two(h % 100)}`},${500 + (h % 8000)}.00,0.${String(h % 10_000).padStart(4, '0')},${20 + (h % 180)}.${h % 10},${(h % 7) + 1},19${50 + (h % 49)}-${two((h % 12) + 1)}-${two((h % 28) + 1)},20${10 + (h % 14)}-${two((h % 12) + 1)}-${two((h % 28) + 1)},${at}T${two(h % 24)}:${two(h % 60)}:${two(n % 60)}.${String(h % 1_000_000).padStart(6, '0')},${h % 2 === 0},${(h % 201) - 100},user${n}@example.com,+49 ${h},${CITIES[h % 4]},${String(h % 99_999).padStart(5, '0')},${n % 3 === 0 ? `a note on ${n}` : ''}\n`;
}
