import { createInterface } from 'node:readline/promises';
import { CancelledError } from '../core/errors.ts';

interface AskStreams {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  readonly signal: AbortSignal;
}

/** One question, one line of answer. */
export async function ask(streams: AskStreams, question: string, fallback: string): Promise<string> {
  const lines = createInterface({ input: streams.input, output: streams.output });
  const left = new AbortController();
  // The line editor swallows Ctrl-C and Ctrl-D: both mean that no answer will come.
  lines.once('SIGINT', () => left.abort());
  lines.once('close', () => left.abort());
  const shown = fallback === '' ? question : `${question} [${fallback}]`;
  try {
    const answer = await lines.question(`${shown} `, {
      signal: AbortSignal.any([left.signal, streams.signal]),
    });
    return answer.trim() === '' ? fallback : answer.trim();
  } catch (error) {
    throw new CancelledError('stopped while asking; nothing was changed', {
      code: 'cancelled',
      cause: error,
    });
  } finally {
    lines.close();
  }
}
