/** Looks at the source of a stream and holds its columns against the table's contract. Writes nothing. */
import { DELETED_AT, type Destination, type TableState } from '../core/destination.ts';
import { TransientError } from '../core/errors.ts';
import { changeText } from '../core/schema-changes.ts';
import { type Field, type Schema, type SchemaJson, schemaToJson } from '../core/schema.ts';
import type { SurveyNote, Survey } from '../core/source.ts';
import { renamed, type SchemaRules, type StreamConfig } from '../core/stream.ts';
import { renderType, sameType } from '../core/types.ts';
import { agree, type Contract, type Detours, isStraight } from '../gate/contract.ts';

export interface ContractJob {
  stream: StreamConfig;
  /** Of the stream as it is configured. */
  survey: Survey;
  table: TableState | undefined;
  fresh: boolean;
  keeps: boolean;
  /** In the place of those of the stream. */
  rules?: SchemaRules;
  /** Surveys the stream in another form. */
  look(stream: StreamConfig): Promise<Survey>;
}

export interface Agreed {
  /** As it is read: columns may go elsewhere, or be left out. */
  stream: StreamConfig;
  survey: Survey;
  contract: Contract;
  changes: string[];
  notes: SurveyNote[];
  /** What the user has accepted and the source does not have now. */
  accepted: SchemaJson | undefined;
}

export const DEFAULT_RULES: SchemaRules = { policy: 'evolve', incompatible: 'side' };

export async function agreeOn(job: ContractJob): Promise<Agreed> {
  const { stream, table } = job;
  const incoming = incomingOf(stream, job.survey, table);
  const flags = flagsOf(job);
  const accepted = table?.checkpoint?.accepted;
  const isAccepted = accepted !== undefined && sameJson(accepted, schemaToJson(incoming));
  const computed = new Set(Object.keys(stream.rules?.compute ?? {}));
  const agreed = agree({
    stream: stream.name,
    table: table && withoutFlags(table.schema),
    incoming,
    rules: job.rules ?? stream.schema ?? DEFAULT_RULES,
    accepted: isAccepted,
    fresh: job.fresh,
    keeps: job.keeps,
    fixed: fixedColumns(stream, table, incoming),
    pinned: new Set([...Object.keys(stream.types).map((column) => renamed(stream, column)), ...computed]),
    asked: computed,
    putsAside: job.survey.putsAside === true,
  });
  const contract = flags.field ? { ...agreed, schema: withField(agreed.schema, flags.field) } : agreed;
  const { detours } = contract;
  const changes = [...contract.changes.map(changeText), ...flags.changes];
  const rest = {
    contract,
    changes,
    notes: notesOf(detours, incoming),
    accepted: isAccepted ? undefined : accepted,
  };
  if (isStraight(detours)) return { stream, survey: job.survey, ...rest };
  const detoured = detouredStream(stream, incoming, detours);
  const survey = await job.look(detoured);
  refuseOther(stream, contract.incoming, survey.schema);
  return { stream: detoured, survey, ...rest };
}

const FLAG: Field = {
  name: DELETED_AT,
  type: { kind: 'timestamp', zone: true },
  nullable: true,
  native: undefined,
};

/** The column that says when a row was gone: the user asks for it by `deletes`, so that no contract with the source is about it. */
function flagsOf({ stream, table, fresh }: ContractJob): { field: Field | undefined; changes: string[] } {
  const there = table?.schema.fields.find(({ name }) => name === DELETED_AT);
  const field = stream.deletes?.how === 'flag' && stream.load === 'merge' ? FLAG : fresh ? undefined : there;
  const isNew = field !== undefined && !there && table !== undefined && table.schema.fields.length > 0;
  return { field, changes: isNew ? [`+ ${DELETED_AT} ${renderType(FLAG.type)}`] : [] };
}

function withoutFlags(schema: Schema): Schema {
  return { ...schema, fields: schema.fields.filter(({ name }) => name !== DELETED_AT) };
}

function withField(schema: Schema, field: Field): Schema {
  return { ...schema, fields: [...schema.fields, field] };
}

/** Columns of the source by their names in the table. */
export function incomingOf(
  stream: StreamConfig,
  { schema, lacking = [] }: Survey,
  table: TableState | undefined,
): Schema {
  const sources = new Map(Object.entries(stream.rename).map(([column, name]) => [name, column]));
  const fields = schema.fields.map((field): Field => {
    const { name } = field;
    const source = sources.get(name);
    const gone =
      lacking === 'as before'
        ? table?.schema.fields.find((each) => each.name === name)?.gone === true
        : lacking.includes(name);
    return {
      ...field,
      ...(source !== undefined && source !== name && { source }),
      ...(gone && { gone }),
    };
  });
  return { ...schema, fields };
}

/** Lengths and native types that the destination cannot make use of would be written down for nothing. */
export function usedBy({ lengths, dialect }: Destination, survey: Survey): Survey {
  const { dialect: given, ...schema } = survey.schema;
  const fields = schema.fields.map(({ length, ...field }) =>
    lengths === true && length !== undefined ? { ...field, length } : field,
  );
  const own = given !== undefined && given === dialect && { dialect: given };
  return { ...survey, schema: { ...schema, fields, ...own } };
}

/** Rows are told apart, ordered or put in folders by them: what is there and what comes has to be in one column. */
function fixedColumns(stream: StreamConfig, table: TableState | undefined, incoming: Schema): Set<string> {
  const { cursor, partitionBy, date, lookback } = stream;
  const ofSource = [...cursor, partitionBy?.column, date?.column, lookback?.column];
  const names = ofSource.flatMap((column) => (column === undefined ? [] : [renamed(stream, column)]));
  return new Set([...names, ...incoming.key, ...(table?.schema.key ?? [])]);
}

/** The stream that reads what the contract takes. */
function detouredStream(stream: StreamConfig, { fields }: Schema, detours: Detours): StreamConfig {
  const sources = new Map(fields.map(({ name, source }) => [name, source ?? name]));
  const { beside, without, kept } = detours;
  const { include, exclude = [] } = stream.columns ?? {};
  const left = without.map((name) => sources.get(name)!);
  return {
    ...stream,
    rename: { ...stream.rename, ...bySource(beside, sources, (name) => name) },
    types: { ...stream.types, ...bySource(kept, sources, renderType) },
    columns: {
      ...(include && { include: include.filter((column) => !left.includes(column)) }),
      exclude: [...exclude, ...left],
    },
  };
}

function bySource<T>(
  named: ReadonlyMap<string, T>,
  sources: ReadonlyMap<string, string>,
  text: (value: T) => string,
): Record<string, string> {
  return Object.fromEntries([...named].map(([name, value]) => [sources.get(name)!, text(value)]));
}

/** Catalogs of some systems do not belong to a snapshot. */
function refuseOther({ name }: StreamConfig, expected: Schema, { fields }: Schema): void {
  const same = expected.fields.every((field) => {
    const found = fields.find((each) => each.name === field.name);
    return found && sameType(found.type, field.type);
  });
  if (same && fields.length === expected.fields.length) return;
  throw new TransientError(`planning ${name}: the columns of the source changed while they were looked at`, {
    code: 'schema.moving',
    remedy: 'run again',
  });
}

function notesOf({ without }: Detours, { fields }: Schema): SurveyNote[] {
  if (without.length === 0) return [];
  const shown = without.map(
    (name) => `${name} ${renderType(fields.find((field) => field.name === name)!.type)}`,
  );
  return [
    {
      code: 'schema.left_out',
      message: `left out by \`schema: discard\`: ${shown.join(', ')}`,
      remedy: '`sluice schema accept` lets the next run take them',
    },
  ];
}

function sameJson(a: SchemaJson, b: SchemaJson): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
