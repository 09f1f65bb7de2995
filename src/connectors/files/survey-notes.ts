/** What people are told of the files of a stream. Pure. */
import { ConfigError, type SluiceError } from '../../core/errors.ts';
import type { FilesConfig } from '../../core/ledger.ts';
import type { SurveyNote } from '../../core/source.ts';
import type { StreamConfig } from '../../core/stream.ts';
import { formatCount } from '../../core/units.ts';
import { type FileColumn, nearMisses } from '../shared/look/contract.ts';
import type { FileProblem } from '../shared/look/documents.ts';
import type { FoundFiles, FoundFile, SortedFiles } from './found-files.ts';
import type { Form } from '../shared/look/look.ts';
import type { SniffResult } from '../shared/look/sniffer.ts';

export function windowText({ files }: FoundFiles, { fresh, changed, loaded, gone }: SortedFiles): string {
  const counts = [
    `${formatCount(files.length)} ${files.length === 1 ? 'file' : 'files'}`,
    loaded.length > 0 && `${formatCount(loaded.length)} loaded`,
    `${formatCount(fresh.length)} new`,
    changed.length > 0 && `${formatCount(changed.length)} changed`,
    gone.length > 0 && `${formatCount(gone.length)} loaded and gone`,
  ];
  return counts.filter((text) => text !== false).join(', ');
}

/** Of a file. */
type Problem = Pick<FileProblem, 'error'>;

interface Notable {
  /** Of their format. */
  more: readonly SurveyNote[];
  found: FoundFiles;
  wanted: readonly FoundFile[];
  sorted: SortedFiles;
  problems: readonly Problem[];
  columns: FileColumn[];
}

export function notesOf({ found, sorted, wanted, problems, columns, more }: Notable): SurveyNote[] {
  const changed = sorted.changed.filter((file) => !wanted.includes(file)).map(({ key }) => key);
  const notes: SurveyNote[] = [];
  const tell = (names: readonly string[], note: SurveyNote): void => {
    if (names.length > 0) notes.push({ ...note, message: `${listed(names)} ${note.message}` });
  };
  if (found.files.length + found.waiting.length + found.empty.length === 0)
    notes.push({
      code: 'files.none',
      message: `none of the ${formatCount(sorted.gone.length)} loaded files is there any more, nor any other; the rows stay`,
      remedy: 'is what should be there mounted?',
    });
  tell(changed, {
    code: 'files.changed',
    message: 'changed after being loaded, and stays as loaded',
    remedy: 'set `changed: reload` in `files` to replace the rows',
  });
  tell(found.waiting, { code: 'files.waiting', message: 'is still being written; the next run looks again' });
  tell(found.empty, { code: 'files.empty', message: 'has no bytes and is left for a later run' });
  notes.push(...more);
  for (const { error } of problems)
    notes.push({ code: error.code, message: error.message, remedy: error.remedy });
  for (const text of nearMisses(columns))
    notes.push({
      code: 'files.near_miss',
      message: text,
      remedy: 'pin the type with `types`; values that do not fit it go to quarantine then',
    });
  return notes;
}

/** Of what lies in archives and is no text. */
export function skippedNotes(others: readonly string[]): SurveyNote[] {
  if (others.length === 0) return [];
  return [
    {
      code: 'files.skipped',
      message: `${listed(others)} is not named as text, and is left out of what its archive has`,
      remedy: 'say with `format` how all entries are read, if it is data',
    },
  ];
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 3).join(', ');
  return names.length > 3 ? `${shown} and ${names.length - 3} more files:` : `${shown}:`;
}

/** What can be loaded is loaded; that it was not all is an error nevertheless. */
export function problemOf(stream: StreamConfig, problems: readonly Problem[]): SluiceError | undefined {
  const [first] = problems;
  if (!first) return undefined;
  const others = problems.length > 1 ? ` (and ${problems.length - 1} other files)` : '';
  return new ConfigError(`loading ${stream.name}: ${first.error.message}${others}`, {
    code: first.error.code,
    remedy: first.error.remedy,
    cause: first.error,
  });
}

export function formText(config: FilesConfig, { dialect, header }: Form, { documents }: SniffResult): string {
  const encodings = [...new Set(documents.map(({ encoding }) => encoding))];
  const how =
    dialect.format === 'json'
      ? [dialect.flatten > 0 && `objects within objects down to level ${dialect.flatten}`]
      : [
          `delimiter ${JSON.stringify(dialect.delimiter)}`,
          dialect.quote === undefined ? 'no quotes' : `quote ${dialect.quote}`,
          header ? 'with header' : 'no header',
        ];
  const { decimal, thousands, date } = config;
  const written = [
    decimal !== undefined && `decimal ${JSON.stringify(decimal)}`,
    thousands !== undefined && `thousands ${JSON.stringify(thousands)}`,
    date !== undefined && `dates ${date}`,
  ];
  return [config.path, dialect.format, ...how, ...written, ...encodings]
    .filter((part) => part !== false)
    .join(', ');
}
