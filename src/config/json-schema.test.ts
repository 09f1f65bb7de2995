import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { connectors } from './connectors.fixture.ts';
import { type JsonSchema, projectJsonSchema } from './json-schema.ts';

const schema = projectJsonSchema(connectors.values());

test('schema.json is up to date (else run: node scripts/generate-schema.mjs)', () => {
  const script = fileURLToPath(new URL('../../scripts/generate-schema.mjs', import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

test('every option is described', () => {
  expect(undescribed(schema, '')).toEqual([]);
});

/** Paths of properties without a description; `type` of a connection and of the state explain themselves. */
function undescribed(node: unknown, path: string): string[] {
  if (typeof node !== 'object' || node === null) return [];
  const { properties } = node as JsonSchema;
  const missing = Object.entries((properties ?? {}) as Record<string, JsonSchema>)
    .filter(([name, property]) => name !== 'type' && property['description'] === undefined)
    .map(([name]) => `${path}.${name}`);
  return [
    ...missing,
    ...Object.entries(node).flatMap(([key, inner]) => undescribed(inner, `${path}.${key}`)),
  ];
}

test('each connector has its options, and no others are allowed', () => {
  const connection = at(schema, 'properties', 'connections', 'additionalProperties');
  const branches = connection['allOf'] as { if: JsonSchema; then: JsonSchema }[];
  expect(branches.map((branch) => at(branch.if, 'properties', 'type')['const'])).toEqual([
    'lake',
    'postgres',
  ]);
  for (const { then } of branches) {
    expect(then['additionalProperties']).toBe(false);
    expect(then['properties']).toHaveProperty('type');
  }
});

test('marks that validators do not know are gone', () => {
  expect(JSON.stringify(schema)).not.toContain('"secret"');
});

test('a placeholder is right wherever a number or one of several words is wanted', () => {
  const port = at(
    schema,
    'properties',
    'connections',
    'additionalProperties',
    'allOf',
    '1',
    'then',
    'properties',
    'port',
  );
  expect(port).toEqual({
    description: expect.any(String),
    anyOf: [
      { type: 'integer', minimum: 1, maximum: 65_535 },
      { type: 'string', pattern: '\\$\\{' },
    ],
  });
});

function at(node: JsonSchema, ...path: string[]): JsonSchema {
  return path.reduce((inner, key) => inner[key] as JsonSchema, node);
}

test('patterns mean the same to every reader', () => {
  const patterns = [...JSON.stringify(schema).matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)].map(
    ([, text]) => JSON.parse(text ?? '') as string,
  );
  expect(patterns.length).toBeGreaterThan(5);
  for (const pattern of patterns) {
    expect(() => new RegExp(pattern, 'u')).not.toThrow();
    expect(pattern).not.toMatch(/\\[pP]|\(\?[imsx<]/);
  }
});
