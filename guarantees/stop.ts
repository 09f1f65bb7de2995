/** Commands of the repository that start servers stop cleanly when they are told to. */
import { constants } from 'node:os';

/** Aborted by the first SIGINT, SIGTERM or SIGHUP, whose exit code is set; the second one ends the process there and then. */
export function stopOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      // The second one does not wait for servers to stop; their guards do that.
      if (controller.signal.aborted) process.exit(128 + constants.signals[name]);
      process.exitCode = 128 + constants.signals[name];
      controller.abort(new Error('stopped on request'));
    });
  }
  return controller.signal;
}
