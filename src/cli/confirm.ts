import { CancelledError, ConfigError } from '../core/errors.ts';
import type { Invocation } from './command.ts';

/** Goes on only after a clear yes. */
export async function confirm({ terminal }: Invocation, question: string): Promise<void> {
  if (!terminal.interactive) {
    throw new ConfigError('nobody is here to confirm this', {
      code: 'cli.confirm',
      remedy: '--yes does without',
    });
  }
  const answer = await terminal.ask(`${question} (yes/no)`, 'no');
  if (!/^y(es)?$/i.test(answer))
    throw new CancelledError('not confirmed; nothing was changed', { code: 'cancelled' });
}
