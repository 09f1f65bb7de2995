import { DataError } from '../../core/errors.ts';
import type { LoadTarget } from '../shared/sql/system.ts';
import type { Client } from './client.ts';
import { mysqlError } from './errors.ts';
import type { LoadResult } from './load-in.ts';

interface Warning {
  Code: number;
  Message: string;
}

const DUPLICATE = [1062, 1586];
/** What a number of the server means, without the values that its messages hold. */
const MEANINGS: Readonly<Record<number, string>> = {
  1048: 'NULL where the column takes none',
  1263: 'NULL where the column takes none',
  1264: 'a number out of the range of the column',
  1265: 'a value that would have been cut',
  1292: 'a value that is none of the type',
  1366: 'a value that is none of the type',
  1406: 'a value that is too long',
};

/**
 * LOAD DATA LOCAL turns errors into warnings, changes what does not fit and leaves out rows with a key that is there. Throws
 * DataError when the server has done any of that.
 */
export async function checkLoaded(
  client: Client,
  { into, rows, result }: { into: LoadTarget; rows: number; result: LoadResult },
): Promise<void> {
  if (result.warnings === 0 && result.rows === rows) return;
  const warnings = await client.query<Warning & Record<string, unknown>>('SHOW WARNINGS LIMIT 64');
  const doing = into.doing;
  // A key that was cut may be there already: that it was cut tells more.
  const first = warnings.find(({ Code }) => !DUPLICATE.includes(Number(Code)));
  if (!first && warnings.length > 0)
    throw mysqlError({ errno: DUPLICATE[0], message: 'rows share their key' }, doing);
  const column = /column\s+[`'](?:.*`\.`)?([^`']+)[`']/i.exec(first?.Message ?? '')?.[1];
  const row = /at row (\d+)/.exec(first?.Message ?? '')?.[1];
  const meaning = first && (MEANINGS[Number(first.Code)] ?? `warning ${first.Code} of the server`);
  const place = [column === undefined ? '' : `column "${column}"`, row === undefined ? '' : `row ${row}`]
    .filter((part) => part !== '')
    .join(', ');
  throw new DataError(
    `${doing}: ${meaning ?? `the server took ${result.rows} of ${rows} rows`}${place === '' ? '' : ` (${place})`}`,
    {
      code: 'mysql.altered',
      remedy:
        'nothing was loaded. A text in a key has at most 255 characters, unless the source says how long it is; other columns may have been narrowed by hand',
      details: { column, row },
    },
  );
}
