import type { Parsed } from './arguments.ts';
import type { Services } from './services.ts';
import type { Terminal } from './terminal.ts';

/** Everything a command may use. Commands touch neither `process` nor modules of the engine by themselves. */
export interface Invocation extends Parsed {
  readonly terminal: Terminal;
  readonly services: Services;
  readonly signal: AbortSignal;
  /** `--project`. */
  readonly project: string | undefined;
  readonly json: boolean;
  readonly verbose: boolean;
}

/** Resolves to the exit code; throws SluiceErrors, which the program renders. */
export type Command = (invocation: Invocation) => Promise<number>;
