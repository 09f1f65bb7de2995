import { renderUpdatedAtTrigger } from '../../connectors/postgres/trigger.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { printJson } from '../output.ts';

/** `sluice sql updated-at-trigger`: prints a script for psql; running it is the user's decision. */
export const sql: Command = async ({ arguments: tables, flags, json, terminal }) => {
  const column = flags.text('column') ?? 'updated_at';
  // All of them are rendered before the first is printed: a mistake in the last must not leave half a script.
  const scripts = tables.map((table) => ({
    table,
    sql: renderUpdatedAtTrigger({ table, column, index: !flags.on('no-index') }),
  }));
  if (json) for (const script of scripts) printJson(terminal, script);
  else terminal.stdout.write(scripts.map((script) => script.sql).join('\n'));
  return EXIT.ok;
};
