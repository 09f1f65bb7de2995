import { ConfigError } from '../core/errors.ts';
import type { Field, Rows } from './field.ts';
import { DAY_US } from './fields.ts';
import { Life } from './life.ts';
import { DRIFT_KINDS, type DriftKind, type Entity, type Model } from './model.ts';
import { Draws, fraction, type Words } from './random.ts';

/** What the records of a model depend on, and nothing else. */
export interface DatasetOptions {
  /** A whole number; another one makes other records. */
  seed?: number | undefined;
  /** Records on the first day, of the entity that the model counts by. */
  rows?: number | undefined;
  /** The first day, `YYYY-MM-DD`. */
  from?: string | undefined;
  /** Records that each later day makes, changes and takes away, counted like `rows`: 1 %, 2 % and none of these when absent. */
  inserts?: number | undefined;
  updates?: number | undefined;
  deletes?: number | undefined;
  /** From which day on the model is another one; 0 is the first. */
  drift?: Readonly<Partial<Record<DriftKind, number>>> | undefined;
}

const DATASET_DEFAULTS = {
  seed: 1,
  rows: 10_000,
  from: '2026-01-01',
  deletes: 0,
  drift: {},
} as const;

/** Days before the first on which records have been made. */
const PAST_DAYS = 1095;

/** Names of all fields that some entities have on some of the days. */
export function fieldNames(entities: readonly EntityData[], lastDay: number): string[] {
  const names = entities.flatMap((entity) =>
    [entity.fields(0), entity.fields(lastDay)].flatMap((fields) => fields.map(({ name }) => name)),
  );
  return [...new Set(names)];
}

/** Records by number, as pages, files and tables are made of them. */
export interface Selection {
  readonly count: number;
  /** Number of the record at a position. */
  index(position: number): number;
}

/** All records of a model, on any day; none of them is held. */
export interface Dataset {
  readonly model: string;
  readonly options: Required<{ [Name in keyof DatasetOptions]: NonNullable<DatasetOptions[Name]> }>;
  readonly entities: readonly EntityData[];
  entity(name: string): EntityData;
}

export function openDataset(model: Model, given: DatasetOptions = {}): Dataset {
  const known = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  const rows = given.rows ?? DATASET_DEFAULTS.rows;
  const usual = { inserts: Math.ceil(rows / 100), updates: Math.ceil(rows / 50) };
  const options: Dataset['options'] = { ...DATASET_DEFAULTS, ...usual, ...known };
  assertOptions(options);
  const entities: EntityData[] = [];
  for (const entity of model.entities) {
    const parent = entities.find(({ name }) => name === entity.parent);
    const isParent = model.entities.some((other) => other.parent === entity.name);
    entities.push(new EntityData(entity, options, { parent, isParent }));
  }
  return {
    model: model.name,
    options,
    entities,
    entity: (name) => {
      const found = entities.find((entity) => entity.name === name);
      if (!found)
        throw new ConfigError(
          `model "${model.name}" has no records "${name}"; it has ${entities.map((entity) => entity.name).join(', ')}`,
          { code: 'generate.unknown_entity' },
        );
      return found;
    },
  };
}

function assertOptions(options: Dataset['options']): void {
  const { rows, from, drift } = options;
  const refuse = (message: string): never => {
    throw new ConfigError(message, { code: 'generate.options' });
  };
  for (const name of ['seed', 'rows', 'inserts', 'updates', 'deletes'] as const) {
    const value = options[name];
    if (!Number.isSafeInteger(value) || (value < 0 && name !== 'seed'))
      refuse(`${name} ${value} is no whole number from 0 on`);
  }
  if (rows < 1 || rows > 1e9) refuse(`rows ${rows} is none of 1 to 1,000,000,000`);
  if (!/^\d{4}-\d\d-\d\d$/.test(from) || Number.isNaN(Date.parse(from)))
    refuse(`"${from}" is no day; write it as 2026-01-31`);
  for (const [kind, day] of Object.entries(drift)) {
    if (!DRIFT_KINDS.includes(kind as DriftKind))
      refuse(`drift "${kind}" is none of ${DRIFT_KINDS.join(', ')}`);
    if (!Number.isSafeInteger(day) || day < 0)
      refuse(`drift "${kind}" on day ${day}: no whole number from 0 on`);
  }
}

interface Family {
  readonly parent: EntityData | undefined;
  readonly isParent: boolean;
}

/** The records of one entity on any day. */
export class EntityData {
  readonly name: string;
  readonly entity: Entity;
  readonly life: Life;
  readonly parent: EntityData | undefined;
  readonly #options: Dataset['options'];
  readonly #start: number;
  readonly #created: Draws;
  readonly #updated: Draws;
  readonly #parents: Draws;

  constructor(entity: Entity, options: Dataset['options'], { parent, isParent }: Family) {
    const { seed } = options;
    const scaled = (count: number): number => Math.ceil(count * entity.share);
    this.name = entity.name;
    this.entity = entity;
    this.parent = parent;
    this.#options = options;
    this.#start = Date.parse(options.from) * 1000;
    this.#created = new Draws(seed, `${entity.name} created`);
    this.#updated = new Draws(seed, `${entity.name} updated`);
    this.#parents = new Draws(seed, `${entity.name} parent`);
    this.life = new Life({
      seed,
      entity: entity.name,
      rows: scaled(options.rows),
      inserts: scaled(options.inserts),
      updates: scaled(options.updates),
      // Nothing is left without what it belongs to.
      deletes: isParent ? 0 : scaled(options.deletes),
    });
  }

  /** Its fields on a day, in order. */
  fields(day: number): Field[] {
    let fields = [...this.entity.fields];
    for (const kind of DRIFT_KINDS) {
      const since = this.#options.drift[kind];
      const drifted = this.entity.drift[kind];
      if (since === undefined || !drifted || day < since) continue;
      const field = drifted.field(since);
      if (drifted.replaces === undefined) fields.push(field);
      else fields = fields.map((before) => (before.name === drifted.replaces ? field : before));
    }
    return fields;
  }

  /** All that there is at the end of a day. */
  all(day: number): Selection {
    const deleted = this.life.deleted(day);
    const count = this.life.population(day) - deleted.length;
    if (deleted.length === 0) return { count, index: (position) => position };
    return { count, index: (position) => position + deletedBefore(deleted, position) };
  }

  /** Number of the record that another one belongs to. */
  parentOf(index: number): number {
    if (!this.parent) return 0;
    const { life } = this.parent;
    // Few parents have many children, and those are the older ones.
    return Math.floor(fraction(this.#parents.at(index)) ** 2 * life.population(this.life.birth(index)));
  }

  /** Midnight before a day, in microseconds since 1970. */
  startOf(day: number): number {
    return this.#start + day * DAY_US;
  }

  /** When records were made and last changed: fills both arrays of `rows`. */
  fillMoments(rows: Rows, words: Words): void {
    const { life } = this;
    const { created, updated, count, index, version } = rows;
    const first = life.population(0);
    const perDay = life.population(1) - first;
    const began = this.startOf(-PAST_DAYS);
    const span = (PAST_DAYS + 1) * DAY_US;
    this.#created.fill(words, rows, false);
    for (let r = 0; r < count; r++) {
      const i = index[r]!;
      const u = fraction(words.a[r]!);
      const birth = life.birth(i);
      created[r] =
        birth === 0
          ? began + Math.floor(((i + u) / first) * span)
          : this.startOf(birth) + Math.floor((((i - first) % perDay) + u) * (DAY_US / perDay));
    }
    this.#updated.fill(words, rows, true);
    const end = this.startOf(1);
    for (let r = 0; r < count; r++) {
      const u = fraction(words.a[r]!);
      if (version[r]! > life.birth(index[r]!))
        updated[r] = this.startOf(version[r]!) + Math.floor(u * DAY_US);
      else if (version[r]! > 0) updated[r] = created[r]!;
      else updated[r] = created[r]! + Math.floor((end - created[r]!) * u ** 3);
    }
  }
}

/** How many of the deleted numbers lie before the record at a position among those that are left. */
function deletedBefore(deleted: Uint32Array, position: number): number {
  let low = 0;
  let high = deleted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (deleted[middle]! - middle <= position) low = middle + 1;
    else high = middle;
  }
  return low;
}
