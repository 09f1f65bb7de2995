import { runProgram } from './program.ts';
import { realServices, type Services } from './services.ts';
import { type Stop, watchStop } from './stop.ts';
import { createTerminal } from './terminal.ts';

/** Time for connections and threads to end by themselves before the process is ended for them. */
const LINGER_MS = 3000;

/** Runs the program in this process: its streams, its signals, its exit code. */
export async function start(args: readonly string[], services: Services = realServices()): Promise<void> {
  const { stdin, stdout, stderr } = process;
  const stop: Stop = watchStop({
    stdout,
    stderr,
    note: (text) => {
      terminal.note(text);
    },
  });
  const terminal = createTerminal({
    streams: { stdin, stdout, stderr },
    env: process.env,
    colours: !args.includes('--no-color'),
    signal: stop.signal,
  });
  process.exitCode = await runProgram(args, { terminal, stop, services });
  endSoon();
}

/** A thread or connection that was left open must not keep a finished program alive; output that is still on its way may. */
function endSoon(): void {
  const timer = setInterval(() => {
    if (process.stdout.writableLength === 0 && process.stderr.writableLength === 0) process.exit();
  }, LINGER_MS);
  timer.unref();
}
