/** Changing by hand which files a stream has loaded: again, or no longer. */
import { matcher } from '../config/stream-name.ts';
import { ConfigError } from '../core/errors.ts';
import type { FileLedger } from '../core/ledger.ts';
import type { Checkpoint, StreamConfig } from '../core/stream.ts';
import type { ProjectContext } from './context.ts';
import { changeCheckpoint } from './state-ops.ts';

/** Marks files of a stream, so that the next run replaces the rows that they have brought; gives their paths. */
export async function reloadFiles(
  context: ProjectContext,
  pipeline: string,
  name: string,
  wanted: readonly string[],
): Promise<string[]> {
  let marked: string[] = [];
  await changeCheckpoint({ context, pipeline, name }, async (_session, stream, { checkpoint }) => {
    const doing = `loading files of ${name} again`;
    const ledger = ledgerOf(stream, checkpoint, doing);
    if (stream.files!.fileColumn === false) throw noFiles(doing, 'it is not known which rows are theirs');
    marked = filesOf(ledger, wanted, doing);
    const again = Object.fromEntries(marked.map((file) => [file, { ...ledger.files[file]!, again: true }]));
    return { ...checkpoint!, ledger: { ...ledger, files: { ...ledger.files, ...again } } };
  });
  return marked;
}

/** Takes files out of the ledger, and leaves their rows alone: the next run takes them for new. Gives their paths. */
export async function forgetFiles(
  context: ProjectContext,
  pipeline: string,
  name: string,
  wanted: readonly string[],
): Promise<string[]> {
  let gone: string[] = [];
  await changeCheckpoint({ context, pipeline, name }, async (_session, stream, { checkpoint }) => {
    const doing = `forgetting files of ${name}`;
    const ledger = ledgerOf(stream, checkpoint, doing);
    gone = filesOf(ledger, wanted, doing);
    const left = Object.entries(ledger.files).filter(([file]) => !gone.includes(file));
    return { ...checkpoint!, ledger: { ...ledger, files: Object.fromEntries(left) } };
  });
  return gone;
}

function ledgerOf(stream: StreamConfig, checkpoint: Checkpoint | undefined, doing: string): FileLedger {
  if (!checkpoint?.ledger || !stream.files) throw noFiles(doing, 'none is loaded');
  return checkpoint.ledger;
}

function filesOf({ files }: FileLedger, wanted: readonly string[], doing: string): string[] {
  const found = Object.keys(files).filter((file) => wanted.some((pattern) => matcher(pattern)(file)));
  const unknown = wanted.filter((pattern) => !found.some((file) => matcher(pattern)(file)));
  if (unknown.length === 0) return found;
  throw new ConfigError(`${doing}: no loaded file fits "${unknown.join('", "')}"`, {
    code: 'state.unknown_file',
    remedy: '`sluice ledger show` lists them',
  });
}

/** Which files are loaded is not known of this stream, or does not tell what is asked for. */
export function noFiles(doing: string, found: string): ConfigError {
  return new ConfigError(`${doing}: ${found}`, {
    code: 'state.no_files',
    remedy:
      'that needs a stream of files with a `file_column`; `sluice run --full-refresh` loads all of a stream again',
  });
}
