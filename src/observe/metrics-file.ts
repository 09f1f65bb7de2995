/** Keeps the metrics of a project in a text file, which readers see whole: the old one or the new one. */
import { randomUUID } from 'node:crypto';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type PipelineMetrics, renderMetrics } from './prometheus.ts';
import type { Reporter } from './reporter.ts';

/** Runs that end while the file is written are not waited for for ever. */
const ROUNDS = 5;

/** `read` gives what the history says of all pipelines. */
export function createMetricsFile(file: string, read: () => Promise<PipelineMetrics[]>): Reporter {
  return {
    listener: () => undefined,
    finish: async () => {
      try {
        let written = '';
        // Another run may have ended meanwhile, and have written before us what it knew.
        for (let round = 0; round < ROUNDS; round++) {
          const text = renderMetrics(await read());
          if (text === written) break;
          await replaceFile(file, text);
          written = text;
        }
        return [];
      } catch (error) {
        const message = `writing the metrics to ${file}: ${(error as Error).message}`;
        return [{ code: 'metrics.not_written', message, remedy: 'the next run writes them again' }];
      }
    },
  };
}

/** The collector reads files by their ending: the unfinished one has another. Lost by a power cut, it comes with the next run. */
async function replaceFile(file: string, text: string): Promise<void> {
  const unfinished = `${file}.${randomUUID()}.tmp`;
  await mkdir(path.dirname(file), { recursive: true });
  try {
    await writeFile(unfinished, text, { mode: 0o644 });
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}
