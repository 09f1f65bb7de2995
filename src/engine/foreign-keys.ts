/** Foreign keys of the source as the destination can have them: between tables that the same pipeline loads. Pure. */
import { renamed, type StreamConfig } from '../core/stream.ts';
import type { TableStructure } from '../core/structure.ts';
import { STRATEGIES } from '../strategies/index.ts';

export interface Translated {
  structure: TableStructure | undefined;
  /** Names of those that refer to what the pipeline does not load whole and as it is. */
  leftOut: string[];
}

/** A table with history has several rows of each key: nothing can refer to it, and what it refers to may be gone. */
export function translateForeignKeys(
  structure: TableStructure | undefined,
  stream: StreamConfig,
  all: readonly StreamConfig[],
): Translated {
  if (!structure?.foreignKeys?.length) return { structure, leftOut: [] };
  const leftOut: string[] = [];
  const foreignKeys = structure.foreignKeys.flatMap((key) => {
    const other = all.find(({ name, sql }) => sql === undefined && isSame(name, key.references.table));
    if (!other) leftOut.push(key.name);
    if (!other || hasHistory(stream) || hasHistory(other)) return [];
    const fields = key.references.fields.map((column) => renamed(other, column));
    return [{ ...key, references: { table: other.table, fields } }];
  });
  return { structure: { ...structure, foreignKeys }, leftOut };
}

/** A stream may be named without schema and with quotes that it does not need. */
function isSame(stream: string, full: string): boolean {
  const [plain, wanted] = [stream, full].map((name) => name.replaceAll('"', ''));
  return plain === wanted || (!plain!.includes('.') && wanted!.endsWith(`.${plain!}`));
}

function hasHistory({ load }: StreamConfig): boolean {
  return STRATEGIES[load].history !== undefined;
}
