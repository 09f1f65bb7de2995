/** What the files of a stream hold: columns and types, from all of them that were looked at and from what is loaded. Pure. */
import type { Field, Schema, SchemaJson } from '../../../core/schema.ts';
import { schemaFromJson, schemaToJson } from '../../../core/schema.ts';
import type { StreamConfig } from '../../../core/stream.ts';
import { type LogicalType, parseType, renderType, sameType, widen } from '../../../core/types.ts';
import { addSamples, type ColumnSample, emptySample, typeOf } from '../text/sniff-columns.ts';

/** A column of the files, under the name that it has there. */
export interface FileColumn {
  name: string;
  type: LogicalType;
  sample: ColumnSample | undefined;
}

/** Names of a header; those that are missing or written twice get others. */
export function headerNames(header: readonly (string | null)[] | undefined, fields: number): string[] {
  const names: string[] = [];
  const taken = new Set(header?.filter((name) => name !== null));
  for (let f = 0; f < fields; f++) {
    const written = header?.[f]?.trim();
    let name = written === undefined || written === '' ? `column${f + 1}` : written;
    if (names.includes(name) || (name !== written && taken.has(name))) {
      const base = name;
      for (let n = 2; names.includes(name) || taken.has(name); n++) name = `${base}_${n}`;
    }
    names.push(name);
  }
  return names;
}

/** The column of a member of JSON: it follows from its name alone, and no column can be without one. */
export function memberName(name: string): string {
  return name === '' ? '(empty)' : name;
}

/** Columns of documents that were found to be alike. */
export function namesOf(
  { header, fields }: { header: readonly (string | null)[] | undefined; fields: number },
  format: 'csv' | 'json',
): string[] {
  return format === 'csv'
    ? headerNames(header, fields)
    : (header ?? []).map((name) => memberName(name ?? ''));
}

/** All columns that any group of files has, in the order in which they come. */
export function columnsOf(
  groups: readonly { names: readonly string[]; columns: readonly ColumnSample[] }[],
): Map<string, ColumnSample> {
  const columns = new Map<string, ColumnSample>();
  for (const { names, columns: samples } of groups)
    for (const [f, name] of names.entries())
      columns.set(name, addSamples(columns.get(name) ?? emptySample(), samples[f]!));
  return columns;
}

/**
 * The contract after these files: columns are added and types widened where all values fit, and nothing is taken away. Values
 * that do not fit a type that is pinned, or loaded, make bad records and change nothing.
 */
export function contractOf(
  known: SchemaJson | undefined,
  found: ReadonlyMap<string, ColumnSample>,
  types: StreamConfig['types'],
): FileColumn[] {
  const before = new Map(known ? schemaFromJson(known).fields.map((field) => [field.name, field.type]) : []);
  const names = [...new Set([...before.keys(), ...found.keys()])];
  return names.map((name) => {
    const sample = found.get(name);
    const forced = Object.hasOwn(types, name) ? forcedType(types[name]!) : undefined;
    const was = before.get(name);
    const type = forced ?? (was ? followed(was, sample) : typeOf(sample!));
    return { name, type, sample };
  });
}

export function forcedType(written: string): LogicalType {
  return written === 'text' ? { kind: 'utf8' } : parseType(written)!;
}

function followed(was: LogicalType, sample: ColumnSample | undefined): LogicalType {
  if (!sample || was.kind === 'utf8') return was;
  const is = typeOf(sample);
  if (sameType(was, is)) return was;
  // Whole numbers need as many digits as they have.
  if (was.kind === 'decimal' && is.kind === 'int64') {
    const precision = Math.max(was.precision - was.scale, sample.whole) + was.scale;
    return precision <= 38 ? { ...was, precision } : was;
  }
  if (is.kind === 'utf8' || (was.kind === 'float64' && is.kind !== 'float64')) return was;
  return widen(was, is) ?? was;
}

export function contractJson(columns: readonly FileColumn[]): SchemaJson {
  const fields = columns.map(({ name, type }): Field => ({ name, type, nullable: true }));
  return schemaToJson({ fields, key: [] } satisfies Schema);
}

/** Columns whose type is text because of a few values only, with the place of the first one: for `plan`. */
export function nearMisses(columns: readonly FileColumn[]): string[] {
  return columns.flatMap(({ name, type, sample }) => {
    if (!sample || type.kind !== 'utf8' || !sample.odd) return [];
    const { texts } = sample;
    const others =
      sample.integers + sample.decimals + sample.floats + sample.dates + sample.moments + sample.instants;
    if (texts === 0 || texts * 20 > others) return [];
    const would = typeOf({ ...sample, texts: 0 });
    if (would.kind === 'utf8') return [];
    const { document, line } = sample.odd;
    return [
      `${name} is text: ${texts} of ${texts + others} values are no ${renderType(would)}, the first on line ${line} of ${document}`,
    ];
  });
}
