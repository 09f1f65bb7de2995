/** Looks through whole files before they are loaded, several at a time. */
import { availableParallelism } from 'node:os';
import { crc32 } from 'node:zlib';
import type { ByteSink, RingMemory } from '../../core/byte-ring.ts';
import { CancelledError, SluiceError, throwIfAborted } from '../../core/errors.ts';
import type { FileRange } from '../../core/ledger.ts';
import type { ObjectStorage, StoredObject } from '../../core/storage.ts';
import { feedThread } from '../shared/feed-thread.ts';
import { TaskThread } from '../shared/task-thread.ts';
import { sendDocument } from '../shared/text/document-input.ts';
import { ThreadPool } from '../shared/thread-pool.ts';
import { crcText } from './found-files.ts';
import type { Form } from './look.ts';
import type { Sniffed, SniffGroup, SniffTask } from './sniff-types.ts';
import { type TextForm, textOf } from '../shared/text/text-stream.ts';

export interface SniffedFile {
  file: StoredObject;
  /** Undefined: the file has no record, not even a header. */
  group: SniffGroup | undefined;
  records: number;
  broken: number;
  parts: FileRange[];
  crc32: string;
  encoding: string;
}

export interface SniffResult {
  files: SniffedFile[];
  /** Files that could not be read to their end. */
  problems: { file: StoredObject; error: SluiceError }[];
}

interface SniffJob {
  storage: ObjectStorage;
  form: Form;
  text: (file: StoredObject) => TextForm;
  partBytes: number;
  signal: AbortSignal;
}

/** One for each core: they have no engine, and a stream has less than its part of the memory while nothing of it is loaded. */
const THREADS = Math.min(4, availableParallelism());
/** Files whose look is one task: enough that threads need not wait, few enough that all have some. */
const TASK_BYTES = 32 << 20;
const TASK_FILES = 500;

export async function sniffFiles(files: readonly StoredObject[], job: SniffJob): Promise<SniffResult> {
  const tasks = inTasks(files);
  const pool = new ThreadPool(() => new Sniffer(), Math.min(THREADS, tasks.length));
  try {
    const results = await Promise.all(tasks.map((task) => pool.use((thread) => thread.look(task, job))));
    return {
      files: results.flatMap((result) => result.files),
      problems: results.flatMap((result) => result.problems),
    };
  } finally {
    await pool.close();
  }
}

function inTasks(files: readonly StoredObject[]): StoredObject[][] {
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const most = Math.min(TASK_BYTES, Math.ceil(total / THREADS));
  const tasks: StoredObject[][] = [];
  let bytes = Infinity;
  for (const file of files) {
    if (bytes >= most || tasks.at(-1)!.length >= TASK_FILES) {
      tasks.push([]);
      bytes = 0;
    }
    tasks.at(-1)!.push(file);
    bytes += file.size;
  }
  return tasks;
}

class Sniffer {
  readonly #thread = new TaskThread<SniffTask, Sniffed>('./sniff-worker', import.meta.url, undefined);

  get alive(): boolean {
    return this.#thread.alive;
  }

  close(): Promise<void> {
    return this.#thread.close(new CancelledError('the thread is closed', { code: 'thread.closed' }));
  }

  /** A file that cannot be read is told, and the others are looked at once more without it. */
  async look(files: StoredObject[], job: SniffJob): Promise<SniffResult> {
    const problems: SniffResult['problems'] = [];
    let left = files;
    for (;;) {
      throwIfAborted(job.signal);
      const failed: SniffResult['problems'] = [];
      const found = await this.#look(left, job, failed);
      if (failed.length === 0) return { files: found, problems };
      problems.push(...failed);
      left = left.filter((file) => !failed.some((problem) => problem.file === file));
    }
  }

  async #look(files: StoredObject[], job: SniffJob, failed: SniffResult['problems']): Promise<SniffedFile[]> {
    const { dialect, header } = job.form;
    const seen = files.map(() => ({ crc: 0, bytes: 0, text: 0, encoding: 'utf-8' }));
    const pump = async (sink: ByteSink): Promise<void> => {
      for (const [number, file] of files.entries()) {
        const facts = seen[number]!;
        const text = textOf(job.storage, { path: file.key }, job.text(file), {
          signal: job.signal,
          onRaw: (bytes) => {
            facts.crc = crc32(bytes, facts.crc);
            facts.bytes += bytes.length;
          },
          onEncoding: (encoding) => {
            facts.encoding = encoding;
          },
        });
        try {
          await sendDocument(sink, number, text, (bytes) => {
            facts.text += bytes;
          });
        } catch (error) {
          if (!(error instanceof SluiceError) || !OF_FILES.has(error.code)) throw error;
          failed.push({ file, error });
        }
      }
    };
    const consume = (ring: RingMemory): Promise<Sniffed> =>
      this.#thread.send({
        ring,
        documents: files.map(({ key }) => key),
        dialect,
        header,
        skip: job.text(files[0]!).skip,
        partBytes: job.partBytes,
      });
    const { groups, documents } = await feedThread({ pump }, consume, job.signal);
    return files.map((file, number) => {
      const { group, records, broken, parts } = documents[number]!;
      const { crc, bytes, text, encoding } = seen[number]!;
      return {
        file,
        group: groups[group],
        records,
        broken,
        // Places in the text are places in the file only where both are the same.
        parts: bytes === text && bytes === file.size && encoding === 'utf-8' ? parts : [],
        crc32: crcText(crc),
        encoding,
      };
    });
  }
}

/** What is wrong with one file, and not with the storage as a whole. */
const OF_FILES: ReadonlySet<string> = new Set([
  'files.compression',
  'storage.missing',
  'storage.changed',
  'storage.permission',
]);
