/** The thread that reads a dump once from its beginning to its end. */
import { parentPort } from 'node:worker_threads';
import { RingConsumer, type RingMemory } from '../../core/byte-ring.ts';
import { errorToJson } from '../../core/error-json.ts';
import { sourceFailed } from '../shared/feed-thread.ts';
import type { ThreadReply } from '../shared/task-thread.ts';
import { DocumentInput } from '../shared/text/document-input.ts';
import type { DumpIndex } from './dump-index.ts';
import { DumpIndexer } from './indexer.ts';

export interface IndexTask {
  ring: RingMemory;
  /** Ranges of data are about as long. */
  partBytes: number;
}

export interface Indexed {
  id: number;
  index: DumpIndex;
}

const port = parentPort!;
const reply = (message: ThreadReply | Indexed): void => port.postMessage(message);

port.on('message', (task: IndexTask & { id: number }) => {
  try {
    const ring = new RingConsumer(task.ring);
    const input = new DocumentInput(ring);
    const index = new DumpIndexer(input, task.partBytes).read();
    if (ring.end !== 'ended') throw sourceFailed();
    reply({ id: task.id, index });
  } catch (error) {
    new RingConsumer(task.ring).abandon();
    reply({ kind: 'failed', id: task.id, error: errorToJson(error, 'looking through the dump') });
  }
});
reply({ kind: 'ready' });
