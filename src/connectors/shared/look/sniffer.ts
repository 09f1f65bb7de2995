/** Looks through whole files before they are loaded, several at a time. */
import { availableParallelism } from 'node:os';
import { crc32 } from 'node:zlib';
import { type ByteSink, type RingMemory, RingProducer } from '../../../core/byte-ring.ts';
import { CancelledError, throwIfAborted } from '../../../core/errors.ts';
import type { FileRange } from '../../../core/ledger.ts';
import type { ObjectStorage } from '../../../core/storage.ts';
import { feedThread } from '../feed-thread.ts';
import { TaskThread } from '../task-thread.ts';
import { sendDocument } from '../text/document-input.ts';
import { ThreadPool } from '../thread-pool.ts';
import { crcText } from '../file-checksum.ts';
import { type FileDocument, type FileProblem, problemOf } from './documents.ts';
import type { DocumentKeys } from './key-hashes.ts';
import type { Form } from './look.ts';
import type { PlainText, Sniffed, SniffGroup, SniffTask } from './sniff-types.ts';
import { type TextForm, textOf } from '../text/text-stream.ts';

export interface LookedDocument {
  document: FileDocument;
  /** Undefined: it has no record, not even a header. */
  group: SniffGroup | undefined;
  records: number;
  broken: number;
  parts: FileRange[];
  crc32: string;
  encoding: string;
  /** Of its records, when they were wanted. */
  keys: DocumentKeys | undefined;
  /** Set when it is a file on a disk that anyone takes apart in the same way; `stamp` says which one. */
  plain: (PlainText & { stamp: string }) | undefined;
}

export interface SniffResult {
  documents: LookedDocument[];
  /** Files that could not be read to their end. */
  problems: FileProblem[];
}

interface SniffJob {
  storage: ObjectStorage;
  form: Form;
  text: (document: FileDocument) => TextForm;
  partBytes: number;
  /** Columns whose values in each record are wanted. */
  key?: readonly string[] | undefined;
  /** Column whose greatest value is wanted. */
  cursor?: string | undefined;
  /** Those of whoever looks again and again; otherwise there are some for as long as this takes. */
  threads?: SniffThreads | undefined;
  signal: AbortSignal;
}

/** One for each core: they have no engine, and a stream has less than its part of the memory while nothing of it is loaded. */
const THREADS = Math.min(4, availableParallelism());
/** Files whose look is one task: enough that threads need not wait, few enough that all have some. */
const TASK_BYTES = 32 << 20;
const TASK_FILES = 500;
/** Less is done before another thread has begun. */
const LEAST_BYTES = 8 << 20;

export async function sniffDocuments(
  documents: readonly FileDocument[],
  job: SniffJob,
): Promise<SniffResult> {
  if (documents.length === 0) return { documents: [], problems: [] };
  const tasks = inTasks(documents);
  const pool = job.threads ?? sniffThreads(Math.min(THREADS, tasks.length));
  try {
    const results = await Promise.all(tasks.map((task) => pool.use((thread) => thread.look(task, job))));
    const problems = results.flatMap((result) => result.problems);
    // An archive is loaded as a whole, or not.
    const broken = new Set(problems.map(({ file }) => file));
    return {
      documents: results.flatMap((result) =>
        result.documents.filter(({ document }) => !broken.has(document.file)),
      ),
      problems: problems.filter(({ file }, i) => problems.findIndex((each) => each.file === file) === i),
    };
  } finally {
    if (pool !== job.threads) await pool.close();
  }
}

export type SniffThreads = ThreadPool<Sniffer>;

/** Whoever asks for them closes them. */
export function sniffThreads(count: number): SniffThreads {
  return new ThreadPool(() => new Sniffer(), count);
}

function inTasks(documents: readonly FileDocument[]): FileDocument[][] {
  const total = documents.reduce((sum, each) => sum + storedBytes(each), 0);
  const most = Math.min(TASK_BYTES, Math.max(LEAST_BYTES, Math.ceil(total / THREADS)));
  const tasks: FileDocument[][] = [];
  let bytes = Infinity;
  for (const document of documents) {
    if (bytes >= most || tasks.at(-1)!.length >= TASK_FILES) {
      tasks.push([]);
      bytes = 0;
    }
    tasks.at(-1)!.push(document);
    bytes += storedBytes(document);
  }
  return tasks;
}

function storedBytes({ file, entry }: FileDocument): number {
  return entry?.packed ?? file.size;
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
  async look(documents: FileDocument[], job: SniffJob): Promise<SniffResult> {
    const problems: FileProblem[] = [];
    let left = documents;
    while (left.length > 0) {
      throwIfAborted(job.signal);
      const failed: FileProblem[] = [];
      try {
        const found = (await this.#lookDirectly(left, job)) ?? (await this.#look(left, job, failed));
        if (failed.length === 0) return { documents: found, problems };
      } catch (error) {
        failed.push(refused(error, left));
      }
      problems.push(...failed);
      left = left.filter((each) => !failed.some(({ file }) => file === each.file));
    }
    return { documents: [], problems };
  }

  /** The thread reads plain files by itself; undefined when there is one that it cannot read so. */
  async #lookDirectly(documents: FileDocument[], job: SniffJob): Promise<LookedDocument[] | undefined> {
    const { storage, signal } = job;
    const forms = documents.map(job.text);
    if (storage.onDisk !== true || !forms.every(isPlain)) return undefined;
    const files = {
      paths: documents.map(({ file }) => storage.localPath(file.key)),
      guesses: forms.some(({ encoding }) => encoding === undefined),
    };
    const consume = async (ring: RingMemory): Promise<Sniffed> => {
      const stop = (): void => new RingProducer(ring).abandon();
      signal.addEventListener('abort', stop, { once: true });
      try {
        return await this.#thread.send({ ...this.#task(documents, job), ring, files });
      } finally {
        signal.removeEventListener('abort', stop);
      }
    };
    const sniffed = await feedThread({ pump: async () => {} }, consume, signal);
    const { read } = sniffed;
    if (!Array.isArray(read)) return undefined;
    return documents.map((document, number) =>
      lookedAt(document, sniffed, number, { ...read[number]!, encoding: 'utf-8' }),
    );
  }

  async #look(documents: FileDocument[], job: SniffJob, failed: FileProblem[]): Promise<LookedDocument[]> {
    if (documents.length === 0) return [];
    const seen = documents.map((): Seen => ({ crc: 0, bytes: 0, text: 0, encoding: 'utf-8' }));
    const pump = async (sink: ByteSink): Promise<void> => {
      for (const [number, document] of documents.entries()) {
        const facts = seen[number]!;
        const { file } = document;
        const text = textOf(job.storage, { path: file.key }, job.text(document), {
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
          failed.push({ file, error: problemOf(error) });
        }
      }
    };
    const consume = (ring: RingMemory): Promise<Sniffed> =>
      this.#thread.send({ ...this.#task(documents, job), ring });
    const sniffed = await feedThread({ pump }, consume, job.signal);
    return documents.map((document, number) => lookedAt(document, sniffed, number, seen[number]!));
  }

  #task(documents: readonly FileDocument[], job: SniffJob): Omit<SniffTask, 'ring'> {
    return {
      documents: documents.map(({ name }) => name),
      ...job.form,
      skip: job.text(documents[0]!).skip,
      partBytes: job.partBytes,
      key: job.key,
      cursor: job.cursor,
    };
  }
}

/** What the thread cannot make records of. */
function refused(thrown: unknown, documents: readonly FileDocument[]): FileProblem {
  const error = problemOf(thrown);
  const of = documents.find(({ name }) => name === error.details['file']);
  if (!of) throw thrown;
  return { file: of.file, error };
}

function isPlain({ packing, entry, encoding = 'utf-8', skip }: TextForm): boolean {
  return packing === 'none' && !entry && encoding === 'utf-8' && skip === 0;
}

/** What was read of a file. */
interface Seen {
  crc: number;
  bytes: number;
  text: number;
  encoding: string;
  stamp?: string;
}

function lookedAt(
  document: FileDocument,
  sniffed: Sniffed,
  number: number,
  { crc, bytes, text, encoding, stamp }: Seen,
): LookedDocument {
  const { group, records, broken, parts, keys, plain } = sniffed.documents[number]!;
  // Places in the text are places in the file only where both are the same.
  const same = !document.entry && bytes === text && bytes === document.file.size && encoding === 'utf-8';
  return {
    document,
    group: sniffed.groups[group],
    records,
    broken,
    parts: same ? parts : [],
    crc32: document.crc32 ?? crcText(crc),
    encoding,
    keys,
    plain: plain && stamp !== undefined ? { ...plain, stamp } : undefined,
  };
}
