import { jsonLine } from '../../observe/json-lines.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { readCount } from '../run-options.ts';

/** `sluice demo`: the whole story on this machine, without an account anywhere. */
export const demo: Command = async ({ flags, services, signal, terminal, json }) => {
  const report = await services.demo({
    directory: flags.text('directory'),
    rows: readCount(flags, 'rows'),
    quick: flags.on('quick'),
    keep: flags.on('keep'),
    json,
    signal,
    screen: terminal,
  });
  if (report && json) terminal.stdout.write(jsonLine(report));
  return report?.equal === false ? EXIT.differs : EXIT.ok;
};
