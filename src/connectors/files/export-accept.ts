/** Which streams can become files. */
import { ConfigError } from '../../core/errors.ts';
import { placeholdersOf } from '../../core/export.ts';
import type { StreamConfig } from '../../core/stream.ts';
import { formOf } from './export-name.ts';

/** Throws one ConfigError with everything that is wrong. */
export function acceptStreams(streams: readonly StreamConfig[], usual: string | undefined): void {
  const mistakes = streams.flatMap((stream) =>
    mistakesOf(stream, usual).map((mistake) => `${stream.name}: ${mistake}`),
  );
  mistakes.push(...sharedPaths(streams, usual));
  if (mistakes.length === 0) return;
  throw new ConfigError(`exporting to files: ${mistakes.join('; ')}`, {
    code: 'files.export',
    remedy: 'an export is a whole table (`load: replace`), or a file for each day (`date: <column>`)',
    details: { mistakes },
  });
}

function mistakesOf(stream: StreamConfig, usual: string | undefined): string[] {
  const { load, cursor, date } = stream;
  const form = formOf(stream.export, usual);
  const mistakes: string[] = [];
  if (load === 'append' || load === 'merge' || load === 'scd2') {
    const why =
      load === 'append'
        ? 'what earlier files hold is not compared with what comes'
        : 'rows of a file cannot be replaced one by one';
    const instead = cursor.length > 0 ? 'leave `cursor` out' : 'set `load: replace`';
    mistakes.push(`"${load}" does not go into files, since ${why}; ${instead}, or set \`date\``);
  }
  if (stream.partitionBy) mistakes.push('`partition_by` does not go into files; write `date` and {date}');
  if (stream.schema && stream.schema.policy !== 'evolve')
    mistakes.push(
      `\`schema: ${stream.schema.policy}\` is for tables; each file has the columns of its own load`,
    );
  if (stream.verify === 'checksums')
    mistakes.push('`verify: checksums` cannot be had of files; write `counts` or `off`');
  if (date?.by !== undefined && date.by !== 'day')
    mistakes.push(
      `a file holds one day, and \`by: ${date.by}\` would leave out those that a run does not read`,
    );
  const names = placeholdersOf(form.path);
  const dated = names.has('date') || (names.has('year') && names.has('month') && names.has('day'));
  if (date && !dated) mistakes.push(`a file for each day needs {date} in its path, "${form.path}" has none`);
  if (date && names.has('time'))
    mistakes.push(`{time} does not go with \`date\`: the file of a day has one name, whenever it is written`);
  if (form.format === undefined)
    mistakes.push(
      `the ending of "${form.path}" says no format; set \`export.format\` to csv, jsonl or parquet`,
    );
  else if (form.format !== 'parquet' && form.compression === 'snappy')
    mistakes.push('`compression: snappy` is for Parquet; write gzip, zstd or none');
  return mistakes;
}

/** Two streams in one file would replace each other's rows. */
function sharedPaths(streams: readonly StreamConfig[], usual: string | undefined): string[] {
  const byPath = Map.groupBy(streams, (stream) => {
    const path = formOf(stream.export, usual).path.replaceAll('{table}', stream.table);
    // Files are the same in any case on some systems.
    return path.toLowerCase();
  });
  return [...byPath].flatMap(([path, some]) =>
    some.length < 2
      ? []
      : [`${some.map(({ name }) => name).join(' and ')} would share the file "${path}"; write {table} in it`],
  );
}
