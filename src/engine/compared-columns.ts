/** In which columns and types two sides are compared, and by how many buckets. Pure. */
import type { Bucket, ComparedColumn, ComparedTable, CompareRequest } from '../core/compare.ts';
import type { Field, Schema } from '../core/schema.ts';
import type { Survey } from '../core/source.ts';
import type { LogicalType } from '../core/types.ts';

/** What both sides have, in a type that holds the values of both. Columns of ours are not the source's. */
export function sharedColumns(
  given: {
    /** Of the table, and as the next load would leave it. */
    schema: Schema;
    after: Schema;
    survey: Survey;
    without: ReadonlySet<string> | undefined;
  },
  notes: string[],
): CompareRequest['columns'] {
  const { schema: table, after, survey, without } = given;
  const { schema } = survey;
  const find = (side: Schema, name: string): Field | undefined =>
    side.fields.find((field) => field.name === name);
  // Rows that were loaded before have their values in another column than those that came since.
  const families = Map.groupBy(after.fields, ({ name, of }) => of ?? name);
  for (const [name, { length }] of families)
    if (length > 1) notes.push(`column "${name}" has values in ${length} columns and was not compared`);
  const own = after.fields.filter(
    ({ name, of }) => !name.startsWith('_sluice_') && families.get(of ?? name)!.length === 1,
  );
  const shared = own.filter(({ name }) => find(table, name) && find(schema, name));
  for (const { name } of own)
    if (!find(schema, name)) notes.push(`column "${name}" is gone from the source and was not compared`);
    else if (!find(table, name)) notes.push(`column "${name}" is new in the source and was not compared`);
    else if (without?.has(name))
      notes.push(
        `column "${name}" was not compared: the source cannot make what \`types\` or \`compute\` says`,
      );
  return shared
    .filter(({ name }) => !without?.has(name))
    .map(({ name, type }) => comparedColumn(name, type, { table, source: schema }));
}

/** Where both sides are of one kind of system and have the same type, what the server prints may be compared. */
export function comparedColumn(
  name: string,
  type: LogicalType,
  { table, source }: { table: Schema; source: Schema },
): ComparedColumn {
  const nativeIn = ({ fields }: Schema): string | undefined =>
    fields.find((field) => field.name === name)?.native;
  const sameSystem = table.dialect !== undefined && table.dialect === source.dialect;
  const native = sameSystem ? nativeIn(source) : undefined;
  return native !== undefined && native === nativeIn(table) ? { name, type, native } : { name, type };
}

/** The key, in the order of the table and in the types that it has after the load. */
export function keyColumns(table: Schema, source: Schema): ComparedColumn[] {
  return table.fields
    .filter(({ name }) => table.key.includes(name))
    .map(({ name, type }) => comparedColumn(name, type, { table, source }));
}

/** What the target keeps in the place of a value is what has to be there. */
export function keptColumns(
  columns: CompareRequest['columns'],
  { keeping }: ComparedTable,
): CompareRequest['columns'] {
  return keeping === undefined ? columns : columns.map((column) => ({ ...column, keeping }));
}

/** Buckets of about a hundred rows: the fewer, the less is read again; their checksums are held, so not too many. */
export function digitsFor(rows: number): number {
  const wanted = Math.ceil(Math.log(Math.max(1, rows / 100)) / Math.log(16));
  return Math.min(4, Math.max(1, wanted));
}

/** Numbers of the buckets that are not the same on both sides. */
export function differingBuckets(source: readonly Bucket[], target: readonly Bucket[]): number[] {
  const text = ({ rows, checksum }: Bucket): string => `${rows} ${checksum}`;
  const theirs = new Map(target.map((bucket) => [bucket.bucket, text(bucket)]));
  const differing: number[] = [];
  for (const bucket of source) {
    if (theirs.get(bucket.bucket) !== text(bucket)) differing.push(bucket.bucket);
    theirs.delete(bucket.bucket);
  }
  return [...differing, ...theirs.keys()];
}
