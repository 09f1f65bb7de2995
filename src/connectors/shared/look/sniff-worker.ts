/** The thread that looks through whole files. */
import { parentPort } from 'node:worker_threads';
import { RingConsumer } from '../../../core/byte-ring.ts';
import { errorToJson } from '../../../core/error-json.ts';
import { collectGarbage } from '../../../core/collect-garbage.ts';
import { sourceFailed } from '../feed-thread.ts';
import type { ThreadReply } from '../task-thread.ts';
import { DocumentInput } from '../text/document-input.ts';
import type { TextWindow } from '../text/text-window.ts';
import { FileInput, OtherFile } from './file-input.ts';
import { sniffCsv } from './sniff-csv.ts';
import { sniffJson } from './sniff-json.ts';
import type { Sniffed, SniffedDocument, SniffGroup, SniffTask } from './sniff-types.ts';

const port = parentPort!;
const reply = (message: ThreadReply | Sniffed, moved: ArrayBuffer[] = []): void =>
  port.postMessage(message, moved);

port.on('message', (task: SniffTask & { id: number }) => {
  try {
    const found = sniff(task);
    // Moved, not copied: of many records they are many megabytes.
    reply(
      found,
      found.documents.flatMap(({ keys }) => (keys ? [keys.hashes.buffer, keys.lines.buffer] : [])),
    );
  } catch (error) {
    new RingConsumer(task.ring).abandon();
    reply({ kind: 'failed', id: task.id, error: errorToJson(error, 'looking through files') });
  }
  collectGarbage();
});
reply({ kind: 'ready' });

function sniff(task: SniffTask & { id: number }): Sniffed {
  const ring = new RingConsumer(task.ring);
  if (!task.files) {
    const found = lookThrough(task, new DocumentInput(ring));
    if (ring.end !== 'ended') throw sourceFailed();
    return { id: task.id, ...found };
  }
  const { paths, guesses } = task.files;
  const input = new FileInput(paths, guesses, () => ring.end === 'abandoned');
  try {
    return { id: task.id, ...lookThrough(task, input), read: input.read };
  } catch (error) {
    if (!(error instanceof OtherFile)) throw error;
    return { id: task.id, groups: [], documents: [], read: 'others' };
  } finally {
    input.close();
  }
}

function lookThrough(task: SniffTask, input: TextWindow): Pick<Sniffed, 'groups' | 'documents'> {
  const groups: SniffGroup[] = [];
  const documents = task.documents.map((): SniffedDocument => ({
    group: -1,
    records: 0,
    broken: 0,
    parts: [],
  }));
  const { dialect } = task;
  while (input.nextDocument()) {
    const document = documents[input.document]!;
    if (dialect.format === 'csv') sniffCsv({ ...task, dialect }, input, groups, document);
    else sniffJson({ ...task, dialect }, input, groups, document);
  }
  return { groups, documents };
}
