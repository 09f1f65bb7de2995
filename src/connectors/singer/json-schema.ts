/** What columns a JSON Schema describes, as taps write them. Pure. */
import type { LogicalType } from '../../core/types.ts';

type Json = Record<string, unknown>;

const MOST_STEPS = 32;

/** Types of the properties; those that the schema says nothing of are told by their values. */
export function typesOf(schema: unknown): Map<string, LogicalType | undefined> {
  return typesWithin(asObject(schema), asObject(schema));
}

function typesWithin(schema: Json, root: Json): Map<string, LogicalType | undefined> {
  const types = new Map<string, LogicalType | undefined>();
  for (const [name, property] of propertiesOf(schema, root)) types.set(name, typeOfProperty(property, root));
  return types;
}

function propertiesOf(schema: Json, root: Json): [string, Json][] {
  return partsOf(resolved(schema, root), root)
    .flatMap((part) => Object.entries(asObject(part['properties'])))
    .map(([name, property]) => [name, asObject(property)]);
}

/** Objects in arrays: the names that lead to them, and what they have. */
export interface SchemaArray {
  path: string[];
  types: Map<string, LogicalType | undefined>;
}

const DEEPEST = 5;
const MOST_OBJECTS = 1000;

/** At any depth, those of outer ones first. */
export function arraysOf(schema: unknown): SchemaArray[] {
  const root = asObject(schema);
  const found: SchemaArray[] = [];
  // A schema may have itself within it, more than once.
  let left = MOST_OBJECTS;
  const collect = (within: Json, way: readonly string[]): void => {
    if (way.length === DEEPEST || left-- <= 0) return;
    for (const [name, property] of propertiesOf(within, root)) {
      const path = [...way, name];
      for (const shape of shapesOf(property, root, 0)) {
        collect(shape, path);
        for (const items of shapesOf(asObject(shape['items']), root, 0)) {
          const types = typesWithin(items, root);
          if (types.size > 0) found.push({ path, types });
          collect(items, path);
        }
      }
    }
  };
  collect(root, []);
  return found.filter(({ path }, i) => found.findIndex((each) => same(each.path, path)) === i);
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.join('\0') === b.join('\0');
}

/** What a property may be. */
function shapesOf(property: Json, root: Json, depth: number): Json[] {
  const own = resolved(property, root);
  const choices = [own['anyOf'], own['oneOf']]
    .filter((each): each is unknown[] => Array.isArray(each))
    .flat();
  if (choices.length === 0 || depth > MOST_STEPS) return [own];
  return choices.flatMap((each) => shapesOf(asObject(each), root, depth + 1));
}

/** What all of `allOf` say counts. */
function partsOf(schema: Json, root: Json): Json[] {
  const more = Array.isArray(schema['allOf']) ? schema['allOf'] : [];
  return [schema, ...more.map((each) => resolved(asObject(each), root))];
}

function asObject(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};
}

/** Where a `$ref` leads within the same document; nowhere else is looked. */
function resolved(schema: Json, root: Json): Json {
  let found = schema;
  for (let step = 0; typeof found['$ref'] === 'string' && step < MOST_STEPS; step++) {
    const path = /^#\/?(.*)$/.exec(found['$ref'])?.[1];
    if (path === undefined) return {};
    let at: unknown = root;
    for (const part of path.split('/').filter((each) => each !== ''))
      at = asObject(at)[decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')];
    const { $ref: _, ...beside } = found;
    found = { ...asObject(at), ...beside };
  }
  return found;
}

function typeOfProperty(property: Json, root: Json): LogicalType | undefined {
  const found = formsOf(property, root, 0);
  // Nobody has said.
  if (found.length === 0 || found.includes(undefined)) return undefined;
  return found.reduce((a, b) => commonType(a!, b!));
}

/** The types that values may have, but for null. */
function formsOf(property: Json, root: Json, depth: number): (LogicalType | undefined)[] {
  if (depth > MOST_STEPS) return [undefined];
  const own = resolved(property, root);
  const choices = [own['anyOf'], own['oneOf']].find((each): each is unknown[] => Array.isArray(each));
  if (choices) {
    const { anyOf: _, oneOf: __, type: ___, ...beside } = own;
    return choices.flatMap((each) => formsOf({ ...beside, ...asObject(each) }, root, depth + 1));
  }
  if (Array.isArray(own['allOf']))
    return formsOf(
      Object.assign({}, ...own['allOf'].map((each) => resolved(asObject(each), root)), {
        ...own,
        allOf: undefined,
      }),
      root,
      depth + 1,
    );
  const kinds = Array.isArray(own['type']) ? own['type'] : [own['type']];
  const named = kinds.filter((kind) => kind !== 'null');
  if (named.length === 0) return [];
  return named.map((kind) => typeOfKind(kind, own));
}

function typeOfKind(kind: unknown, property: Json): LogicalType | undefined {
  switch (kind) {
    case 'boolean':
      return { kind: 'bool' };
    case 'integer':
      return integerOf(property);
    case 'number':
      return numberOf(property);
    case 'string':
      return textOf(property);
    case 'object':
    case 'array':
      return { kind: 'json' };
    default:
      return undefined;
  }
}

const RANGES: readonly { kind: 'int16' | 'int32' | 'int64'; most: number }[] = [
  { kind: 'int16', most: 2 ** 15 - 1 },
  { kind: 'int32', most: 2 ** 31 - 1 },
  { kind: 'int64', most: 2 ** 63 },
];

function integerOf(property: Json): LogicalType {
  const most = mostOf(property);
  if (most === undefined) return { kind: 'int64' };
  const fitting = RANGES.find((range) => most <= range.most);
  if (fitting) return { kind: fitting.kind };
  const precision = digitsOf(most);
  return precision <= 38 ? { kind: 'decimal', precision, scale: 0 } : { kind: 'utf8' };
}

/** Decimals say how far apart they are; a number that does not is a double. */
function numberOf(property: Json): LogicalType {
  const double: LogicalType = { kind: 'float64' };
  const step = property['multipleOf'];
  if (typeof step !== 'number' || !(step > 0)) return double;
  const scale = Math.max(0, -Math.round(Math.log10(step)));
  if (Math.abs(step * 10 ** scale - 1) > 1e-9) return double;
  const most = mostOf(property);
  const whole = most === undefined ? 38 - scale : digitsOf(most);
  return decimalOf(whole + scale, scale) ?? double;
}

function decimalOf(precision: number, scale: number): LogicalType | undefined {
  return precision >= 1 && precision <= 38 && scale >= 0 && scale <= precision
    ? { kind: 'decimal', precision, scale }
    : undefined;
}

/** The greatest absolute value; undefined where there is no bound on one side. */
function mostOf(property: Json): number | undefined {
  const bound = (inclusive: string, exclusive: string): number | undefined => {
    const strict = property[exclusive];
    const value = typeof strict === 'number' ? strict : property[inclusive];
    if (typeof value !== 'number') return undefined;
    const open = typeof strict === 'number' || strict === true;
    return open ? value - Math.sign(value) : value;
  };
  const least = bound('minimum', 'exclusiveMinimum');
  const most = bound('maximum', 'exclusiveMaximum');
  if (least === undefined || most === undefined) return undefined;
  // The least of each type is one further away than the greatest.
  return Math.max(most, least < 0 ? -least - 1 : 0);
}

function digitsOf(value: number): number {
  return BigInt(Math.trunc(value)).toString().length;
}

function textOf(property: Json): LogicalType {
  switch (property['format']) {
    case 'date-time':
      return { kind: 'timestamp', zone: true };
    case 'date':
      return { kind: 'date' };
    case 'time':
      return { kind: 'time' };
    case 'uuid':
      return { kind: 'uuid' };
    case 'singer.decimal':
    case 'x-singer.decimal': {
      const more = asObject(property['additionalProperties']);
      const [precision, scale] = [
        property['precision'] ?? more['precision'],
        property['scale'] ?? more['scale'] ?? 0,
      ];
      const type =
        typeof precision === 'number' && typeof scale === 'number' ? decimalOf(precision, scale) : undefined;
      // Nobody knows how many digits there will be: as text none is lost.
      return type ?? { kind: 'utf8' };
    }
    default:
      return { kind: 'utf8' };
  }
}

/** What holds the values of both. */
export function commonType(a: LogicalType, b: LogicalType): LogicalType {
  if (a.kind === b.kind && a.kind !== 'decimal') return a;
  if (a.kind === 'json' || b.kind === 'json') return { kind: 'json' };
  const order: readonly LogicalType['kind'][] = ['int16', 'int32', 'int64', 'decimal', 'float64'];
  const [i, j] = [order.indexOf(a.kind), order.indexOf(b.kind)];
  if (i < 0 || j < 0) return { kind: 'utf8' };
  const [less, more] = i <= j ? [a, b] : [b, a];
  if (more.kind !== 'decimal') return more;
  const whole = Math.max(more.precision - more.scale, wholeOf(less));
  const scale = Math.max(more.scale, less.kind === 'decimal' ? less.scale : 0);
  return decimalOf(whole + scale, scale) ?? { kind: 'float64' };
}

function wholeOf(type: LogicalType): number {
  if (type.kind === 'decimal') return type.precision - type.scale;
  return { int16: 5, int32: 10 }[type.kind as string] ?? 19;
}
