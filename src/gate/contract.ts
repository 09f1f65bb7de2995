/**
 * How the table's schema follows the source's. Columns are added and widened, never dropped or narrowed; what fits no type of
 * its column goes to one beside it. In: both schemas and the stream's policy. Out: the schema after the load, and which columns
 * of the source go elsewhere, or nowhere. Pure.
 */
import { SchemaError } from '../core/errors.ts';
import { changeText, sameNames, type ColumnChange, schemaChanges } from '../core/schema-changes.ts';
import type { Field, Schema } from '../core/schema.ts';
import type { SchemaRules } from '../core/stream.ts';
import { type LogicalType, renderType, sameType, widen } from '../core/types.ts';

export interface ContractRequest {
  stream: string;
  table: Schema | undefined;
  /** As the stream is configured; fields say which column of the source they are. */
  incoming: Schema;
  rules: SchemaRules;
  /** The user takes the incoming schema as it is. */
  accepted: boolean;
  /** The table is made anew. */
  fresh: boolean;
  /** Not even a full refresh makes the table anew. */
  keeps: boolean;
  /** Columns by which rows are found: none of them can go elsewhere. */
  fixed: ReadonlySet<string>;
  /** Columns whose type the user has chosen. */
  pinned: ReadonlySet<string>;
  /** Columns that the user has asked for by name. */
  asked: ReadonlySet<string>;
  /** Records that do not fit are put aside, so that a type can stay as it is. */
  putsAside: boolean;
}

/** What the stream has to read in another way. By fields of the incoming schema. */
export interface Detours {
  /** Column beside, by field. */
  beside: Map<string, string>;
  /** Fields that are left out. */
  without: string[];
  /** Types that stay what they are. */
  kept: Map<string, LogicalType>;
}

export interface Contract {
  /** Of the table after the load. */
  schema: Schema;
  /** Of what is loaded, after all detours. */
  incoming: Schema;
  changes: ColumnChange[];
  detours: Detours;
}

/** Without a detour the load reads what is configured. */
export function isStraight({ beside, without, kept }: Detours): boolean {
  return beside.size + without.length + kept.size === 0;
}

/** Throws SchemaError that names all columns that cannot follow, or, under `freeze`, all changes. */
export function agree(request: ContractRequest): Contract {
  const { table, incoming, rules, accepted, fresh } = request;
  if (!table || table.fields.length === 0)
    return { schema: incoming, incoming, changes: [], detours: noDetours() };
  const detours = detoursOf(request, table);
  const taken = detoured(incoming, detours);
  const frozen = rules.policy === 'freeze' && !accepted;
  // What is frozen stays when the table is made anew.
  const anew = fresh && !frozen;
  const schema = anew ? taken : followed(table, taken);
  const changes = schemaChanges(table, schema);
  if (frozen) refuseChanges(request, changes);
  if (!anew) refuseConflicts(request, conflictsOf(request, table, taken));
  return { schema, incoming: taken, changes: changes.filter(isAnnounced), detours };
}

function noDetours(): Detours {
  return { beside: new Map(), without: [], kept: new Map() };
}

/** Changes of the table, or of what it is filled with. */
function isAnnounced({ kind }: ColumnChange): boolean {
  return kind !== 'native';
}

function refuseChanges({ stream }: ContractRequest, all: ColumnChange[]): void {
  // That is for the user to say, and changes no column of the table.
  const changes = all.filter(({ kind }) => kind !== 'renamed').map(changeText);
  if (changes.length === 0) return;
  throw new SchemaError(
    `loading ${stream}: its schema is frozen, and the source has another one: ${changes.join('; ')}`,
    {
      code: 'schema.frozen',
      remedy:
        '`sluice schema accept` lets the next run take just these changes; until then nothing is loaded',
      details: { stream, changes },
    },
  );
}

interface Conflict {
  found: string;
  /** It is the policy that stops here. */
  ruled: boolean;
}

function refuseConflicts({ stream, keeps }: ContractRequest, all: Conflict[]): void {
  if (all.length === 0) return;
  const anew = keeps ? 'give the stream another `table`' : 'load again with --full-refresh';
  const accept = all.every(({ ruled }) => ruled)
    ? '`sluice schema accept` lets the next run take it, or '
    : '';
  const conflicts = all.map(({ found }) => found);
  throw new SchemaError(`loading ${stream}: ${conflicts.join('; ')}`, {
    code: 'schema.incompatible',
    remedy: `${accept}keep the old type with \`types:\` or the old key with \`key:\` in the stream, give the new column another name with \`rename:\`, or ${anew}`,
    details: { stream, conflicts },
  });
}

/** Where each column of the source goes. */
function detoursOf(request: ContractRequest, table: Schema): Detours {
  const { incoming, fresh, pinned, asked, putsAside } = request;
  const keeps = keepsTypes(request);
  const detours = noDetours();
  const taken = new Set([...table.fields, ...incoming.fields].map(({ name }) => folded(name)));
  for (const field of incoming.fields) {
    const was = table.fields.find(({ name }) => name === field.name);
    if (!was) {
      // What Sluice adds itself the user has asked for.
      if (keeps && !field.name.startsWith('_sluice_') && !asked.has(field.name))
        detours.without.push(field.name);
      continue;
    }
    if (fresh) continue;
    const family = [was, ...table.fields.filter(({ of }) => of === field.name)];
    const home = family.find(({ type }) => takes(type, field.type, keeps))?.name;
    if (home !== undefined && home !== field.name) detours.beside.set(field.name, home);
    else if (home === undefined && mayGoBeside(request, field.name))
      detours.beside.set(field.name, newName(field, taken));
    else if (home === undefined && keeps && putsAside && !pinned.has(field.name))
      detours.kept.set(field.name, was.type);
  }
  return detours;
}

function keepsTypes({ rules, accepted }: ContractRequest): boolean {
  return rules.policy === 'discard' && !accepted;
}

function takes(type: LogicalType, values: LogicalType, keeps: boolean): boolean {
  const both = widen(type, values);
  return both !== undefined && (!keeps || sameType(both, type));
}

function mayGoBeside({ rules, accepted, fixed, pinned }: ContractRequest, field: string): boolean {
  const side = accepted || (rules.policy === 'evolve' && rules.incompatible === 'side');
  return side && !fixed.has(field) && !pinned.has(field);
}

/** `amount__text`; the same in every run until the column is there. */
function newName({ name, type }: Field, taken: Set<string>): string {
  const word = renderType(type).replace(/\(.*/, '');
  const base = `${name}__${WORDS[word] ?? word}`;
  let free = base;
  for (let n = 2; taken.has(folded(free)); n++) free = `${base}_${n}`;
  taken.add(folded(free));
  return free;
}

/** What people call types. */
const WORDS: Record<string, string> = {
  int16: 'int',
  int32: 'int',
  int64: 'int',
  float32: 'float',
  float64: 'float',
  utf8: 'text',
};

/** The incoming schema after the detours. */
function detoured(incoming: Schema, { beside, without, kept }: Detours): Schema {
  const fields = incoming.fields
    .filter(({ name }) => !without.includes(name))
    .map((field): Field => {
      const { name, type } = field;
      const side = beside.get(name);
      if (side === undefined) return { ...field, type: kept.get(name) ?? type };
      return { ...field, name: side, source: field.source ?? name, of: name };
    });
  return { ...incoming, fields };
}

/** What the table becomes; types that fit no common one are those of the source. */
function followed(table: Schema, incoming: Schema): Schema {
  const before = new Map(table.fields.map((field) => [field.name, field]));
  const fields = incoming.fields.map((field): Field => {
    const was = before.get(field.name);
    before.delete(field.name);
    if (!was) return { ...field, nullable: true };
    const type = widen(was.type, field.type) ?? field.type;
    const { length: _, ...unsized } = field;
    const length = sameType(was.type, field.type) ? longer(was, field) : undefined;
    return {
      ...unsized,
      ...(length !== undefined && { length }),
      type,
      nullable: was.nullable || field.nullable,
      ...(was.of !== undefined && { of: was.of }),
    };
  });
  // Rows that were loaded keep their values; new ones have none.
  for (const missing of before.values())
    fields.push({ ...missing, nullable: true, native: undefined, gone: true });
  return { ...incoming, fields };
}

function conflictsOf(request: ContractRequest, table: Schema, incoming: Schema): Conflict[] {
  const conflicts: Conflict[] = [];
  for (const is of incoming.fields) {
    const was = table.fields.find(({ name }) => name === is.name);
    if (!was) continue;
    if (was.of !== undefined && was.source !== is.source)
      conflicts.push({
        found: `column "${is.name}" is there already, for values of "${was.of}"`,
        ruled: false,
      });
    else if (!takes(was.type, is.type, keepsTypes(request))) conflicts.push(misfit(request, was, is));
  }
  // Rows that are there were told apart by the old key, and may have no value in a new one.
  if (table.key.length > 0 && !sameNames(table.key, incoming.key))
    conflicts.push({
      found: `the key was (${table.key.join(', ')}) and is now ${incoming.key.length > 0 ? `(${incoming.key.join(', ')})` : 'gone'}`,
      ruled: false,
    });
  return conflicts;
}

function misfit({ fixed, pinned, asked, accepted }: ContractRequest, was: Field, is: Field): Conflict {
  const [from, to] = [renderType(was.type), renderType(is.type)];
  const native = asked.has(is.name) ? 'computed' : (is.native ?? 'unknown');
  const found = `column "${is.name}" was ${from} and is now ${to} (${native})`;
  if (widen(was.type, is.type))
    return { found: `${found}, and stays what it was by \`schema: discard\``, ruled: true };
  const why = fixed.has(is.name)
    ? ', and rows are found by it'
    : pinned.has(is.name)
      ? `, as \`${asked.has(is.name) ? 'compute' : 'types'}\` says`
      : '';
  return { found: `${found}, which do not fit one type${why}`, ruled: why === '' && !accepted };
}

/** What takes the values of both; undefined: any length. */
function longer(was: Field, is: Field): number | undefined {
  return was.length === undefined || is.length === undefined ? undefined : Math.max(was.length, is.length);
}

/** As systems see names that tell no capitals. */
function folded(name: string): string {
  return name.toLowerCase();
}
