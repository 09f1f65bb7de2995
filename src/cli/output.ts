import { ConfigError } from '../core/errors.ts';
import { cellText, type Column, jsonValue, renderCsv, renderTable } from '../observe/table.ts';
import type { Invocation } from './command.ts';
import type { Terminal } from './terminal.ts';

type Format = 'table' | 'csv' | 'json';

/** One JSON value on a line of its own, exact. */
export function printJson(terminal: Terminal, value: unknown): void {
  terminal.stdout.write(`${JSON.stringify(jsonValue(value))}\n`);
}

/** What `--format` or `--json` ask for. */
export function outputFormat({ flags, json }: Invocation): Format {
  const format = flags.text('format') ?? 'table';
  if (format !== 'table' && format !== 'csv' && format !== 'json') {
    throw new ConfigError(`--format: "${format}" is none of table, csv, json`, { code: 'cli.format' });
  }
  return json ? 'json' : format;
}

export interface Listing {
  readonly columns: readonly Column[];
  /** Exact values, for tables and CSV. */
  readonly rows: readonly (readonly unknown[])[];
  /** What JSON prints instead, one line each. */
  readonly objects: readonly object[];
  /** How values of a column are shown to people, where that differs: `38.1K` for 38100. */
  readonly show?: readonly (((value: never) => string) | undefined)[];
  /** What people read when there are no rows. */
  readonly empty?: string;
}

/** Widest cell of a table for people; CSV and JSON have everything. */
const MAX_CELL = 100;

/** Prints rows in the form that was asked for. */
export function printListing(invocation: Invocation, { columns, rows, objects, show, empty }: Listing): void {
  const { terminal } = invocation;
  switch (outputFormat(invocation)) {
    case 'table': {
      const cell = (value: unknown, column: number): string => {
        if (value === undefined || value === null) return '';
        return (show?.[column] as ((value: unknown) => string) | undefined)?.(value) ?? cellText(value);
      };
      const cells = rows.map((row) => row.map(cell));
      const options = { indent: 0, maxCell: MAX_CELL, paintTitle: terminal.style.dim };
      terminal.print(rows.length === 0 && empty !== undefined ? empty : renderTable(columns, cells, options));
      return;
    }
    case 'csv':
      terminal.stdout.write(
        renderCsv(
          columns.map((column) => column.title),
          rows,
        ),
      );
      return;
    case 'json':
      for (const object of objects) printJson(terminal, object);
  }
}
