import { constants } from 'node:os';
import { CancelledError } from '../core/errors.ts';
import { EXIT } from './exit-codes.ts';

type Reason = 'SIGINT' | 'SIGTERM' | 'pipe';

/** Why and whether this process was asked to end. */
export interface Stop {
  readonly signal: AbortSignal;
  /** The exit code for a command that ended because of it. */
  exitCode(): number;
}

interface Outputs {
  readonly stdout: NodeJS.EventEmitter;
  readonly stderr: NodeJS.EventEmitter;
  readonly note: (text: string) => void;
}

/**
 * Listens to signals and to closed pipes. The first signal asks for a clean stop, the second ends the process there and
 * then, which is safe as well, only slower to recover from: leases have to run out and staged files to be swept.
 */
export function watchStop({ stdout, stderr, note }: Outputs): Stop {
  const controller = new AbortController();
  let reason: Reason | undefined;
  const stop = (why: Reason): void => {
    reason = why;
    controller.abort(new CancelledError('stopped on request', { code: 'cancelled' }));
  };
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (reason === 'SIGINT' || reason === 'SIGTERM') process.exit(128 + constants.signals[name]);
      stop(name);
      note('stopping at a clean point; press again to stop now');
    });
  }
  // `sluice … | head`: whoever read the output has seen enough. That is no error of ours.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') {
      if (reason === undefined) stop('pipe');
      return;
    }
    // A full disk, say, under what a shell redirects: a load is worth more than its summary, so the work goes on.
    note(`writing to standard output: ${error.message}; nothing more is printed there`);
    process.once('exit', (code) => {
      if (code === EXIT.ok) process.exitCode = EXIT.usage;
    });
  });
  // Nobody reads notes and progress: the work goes on without them.
  stderr.on('error', () => undefined);
  return {
    signal: controller.signal,
    exitCode: () => (reason === 'pipe' ? EXIT.ok : reason === 'SIGTERM' ? EXIT.terminated : EXIT.interrupted),
  };
}
