import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { CancelledError } from '../core/errors.ts';
import { ask } from './ask.ts';

function start(fallback = 'none'): {
  input: PassThrough;
  stop: AbortController;
  readonly shown: () => string;
  answer: Promise<string>;
} {
  const input = new PassThrough();
  const output = new PassThrough();
  const stop = new AbortController();
  let shown = '';
  output.on('data', (chunk: Buffer) => (shown += chunk.toString()));
  return {
    input,
    stop,
    shown: () => shown,
    answer: ask({ input, output, signal: stop.signal }, 'which?', fallback),
  };
}

it('gives the answer without the spaces around it', async () => {
  const { input, shown, answer } = start();
  input.write('  both \nmore\n');
  expect(await answer).toBe('both');
  expect(shown()).toContain('which? [none] ');
});

it('takes an empty answer for the default', async () => {
  const { input, answer } = start();
  input.write('\n');
  expect(await answer).toBe('none');
});

it.each([
  ['the input ends', ({ input }: ReturnType<typeof start>) => input.end()],
  ['a signal arrives', ({ stop }: ReturnType<typeof start>) => stop.abort()],
])('is cancelled when %s', async (_name, act) => {
  const started = start();
  setTimeout(() => act(started), 10);
  await expect(started.answer).rejects.toThrow(CancelledError);
});
