import type { Command } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { readCount } from '../run-options.ts';

/** `sluice demo`: the whole story on this machine, without an account anywhere. */
export const demo: Command = async ({ flags, services, signal, terminal, json }) => {
  await services.demo({
    directory: flags.text('directory'),
    orders: readCount(flags, 'rows'),
    keep: flags.on('keep'),
    json,
    signal,
    print: (text) => {
      terminal.print(text);
    },
  });
  return EXIT.ok;
};
