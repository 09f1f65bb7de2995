/** The JSON Schema of `sluice.yaml`, for editors. Made from the schemas that the loader uses. */
import { z } from 'zod';
import type { Connector } from '../core/connector.ts';
import { projectSchema } from './schema.ts';

export type JsonSchema = Record<string, unknown>;

/** Draft 7 is what the YAML language servers of today understand in full. */
const TARGET = 'draft-7';
const PLACEHOLDER = { type: 'string', pattern: '\\$\\{' };

export function projectJsonSchema(
  connectors: Iterable<Pick<Connector, 'name' | 'title' | 'summary' | 'options'>>,
): JsonSchema {
  const known = [...connectors].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const project = convert(projectSchema);
  const properties = project['properties'] as Record<string, JsonSchema>;
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'A sluice project',
    ...project,
    properties: {
      ...properties,
      connections: { ...properties['connections'], additionalProperties: connection(known) },
    },
  };
}

/** `type` decides what else there may be. With if/then an editor names the one wrong option, with anyOf it cannot. */
function connection(
  connectors: readonly Pick<Connector, 'name' | 'title' | 'summary' | 'options'>[],
): JsonSchema {
  const types = connectors.map(({ name, title, summary }) => ({ const: name, title, description: summary }));
  return {
    type: 'object',
    required: ['type'],
    properties: { type: { description: 'Kind of system.', oneOf: types } },
    allOf: connectors.map(({ name, options }) => ({
      if: { properties: { type: { const: name } }, required: ['type'] },
      // The list of properties has to name `type` too, since no others are allowed.
      // oxlint-disable-next-line unicorn/no-thenable -- a keyword of JSON Schema
      then: withType(convert(options)),
    })),
  };
}

function withType(options: JsonSchema): JsonSchema {
  return { ...options, properties: { type: true, ...(options['properties'] as JsonSchema) } };
}

function convert(schema: Connector['options']): JsonSchema {
  const json = forEditors(
    z.toJSONSchema(schema, { target: TARGET, io: 'input', unrepresentable: 'any' }),
  ) as JsonSchema;
  delete json['$schema'];
  return json;
}

/** Not code of the project, which YAML cannot have. */
function isWritten(node: unknown): boolean {
  return typeof node !== 'object' || node === null || !('code' in node && node.code === true);
}

/** Where something else than any text is wanted, `"${NAME}"` is right as well. */
function forEditors(node: unknown): unknown {
  if (Array.isArray(node)) return node.filter(isWritten).map(forEditors);
  if (typeof node !== 'object' || node === null) return node;
  // A mark for the loader; validators refuse keywords that they do not know.
  const { secret: _, propertyNames, ...json } = node as JsonSchema;
  const inner = Object.fromEntries(Object.entries(json).map(([key, value]) => [key, forEditors(value)]));
  // What every whole number is checked for says nothing to a reader.
  if (inner['maximum'] === Number.MAX_SAFE_INTEGER) delete inner['maximum'];
  if (propertyNames !== undefined) inner['propertyNames'] = propertyNames;
  const narrow = json['enum'] !== undefined || json['pattern'] !== undefined;
  if (!narrow && json['type'] !== 'integer' && json['type'] !== 'number') return inner;
  const { description, default: preset, examples, ...form } = inner;
  const about = Object.entries({ description, default: preset, examples }).filter(
    ([, value]) => value !== undefined,
  );
  return { ...Object.fromEntries(about), anyOf: [form, PLACEHOLDER] };
}
