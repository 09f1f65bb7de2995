/** The whole program in a process of its own, but with a run that does nothing until it is told to stop. */
import { setTimeout as sleep } from 'node:timers/promises';
import { fakeContext, fakeServices, runReport, streamReport } from './fakes.fixture.ts';
import { start } from './start.ts';

const mode = process.env['FIXTURE_RUN'] ?? 'clean';

await start(
  process.argv.slice(2),
  fakeServices({
    openProject: () => Promise.resolve(fakeContext()),
    run: async (_context, _pipeline, { signal, onEvent }) => {
      onEvent?.({ kind: 'stream-started', stream: 'public.orders' });
      // Something has to keep the process alive, as a connection would.
      const alive = setInterval(() => {
        if (mode === 'chatty')
          onEvent?.({ kind: 'step', stream: 'public.orders', slice: 's1', step: 'staged' });
      }, 5);
      while (signal?.aborted !== true || mode === 'deaf') await sleep(5);
      clearInterval(alive);
      return runReport({
        status: 'stopped',
        streams: [streamReport('public.orders', { status: 'stopped' })],
      });
    },
  }),
);
