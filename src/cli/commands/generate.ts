import type { Command } from '../command.ts';
import { generateFiles } from './generate-files.ts';
import { generateTables } from './generate-tables.ts';
import { serveApi } from './generate-api.ts';

/** `sluice generate files|tables|api`: made-up records. */
export const generate: Command = async (invocation) => {
  switch (invocation.spec.name) {
    case 'generate tables':
      return generateTables(invocation);
    case 'generate api':
      return serveApi(invocation);
    default:
      return generateFiles(invocation);
  }
};
