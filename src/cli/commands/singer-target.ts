import { ConfigError } from '../../core/errors.ts';
import type { Command, Invocation } from '../command.ts';
import { exitCodeOf, type Outcome } from '../exit-codes.ts';
import { failedOutcome } from '../run-pipelines.ts';
import { SingerLoads } from '../singer-loads.ts';
import { readTargetSettings } from '../singer-options.ts';
import type { Terminal } from '../terminal.ts';

/** `tap | sluice singer-target`: standard output is for STATE messages only, so everything else goes to standard error. */
export const singerTarget: Command = async (invocation) => {
  const { terminal } = invocation;
  const quiet: Invocation = { ...invocation, terminal: aside(terminal) };
  return exitCodeOf([await loaded(quiet, (text) => void terminal.stdout.write(text))]);
};

async function loaded(invocation: Invocation, print: (text: string) => void): Promise<Outcome> {
  try {
    if (invocation.terminal.interactive)
      throw new ConfigError('singer-target: standard input is a terminal', {
        code: 'cli.usage',
        remedy: 'tap-x --config tap.json | sluice singer-target ./lake',
      });
    return await new SingerLoads(invocation, await readTargetSettings(invocation), print).run();
  } catch (thrown) {
    return failedOutcome(invocation, thrown);
  }
}

function aside(terminal: Terminal): Terminal {
  const { stderr, noteStyle } = terminal;
  return {
    ...terminal,
    stdout: stderr,
    style: noteStyle,
    print: (text) => terminal.note(text),
    note: (text) => terminal.note(text),
    attach: (progress) => terminal.attach(progress),
    ask: (question, fallback) => terminal.ask(question, fallback),
  };
}
