/** What is made to be broken is found broken by whoever reads it, and all else is loaded. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import type { FaultKind } from '../../src/generate/faults.ts';
import { readFileForm } from '../../src/generate/files/file-form.ts';
import { generateFiles } from '../../src/generate/files/generate-files.ts';
import { openModel } from '../../src/generate/open-model.ts';
import { quarantine } from '../../src/index.ts';
import { FileLake } from '../support/file-lake.ts';

interface Named {
  line: number;
  key: number;
  kind: FaultKind;
  field: string | null;
}

const TYPES = {
  id: 'int64',
  unit: 'int64',
  rent: 'decimal(8,2)',
  deposit: 'decimal(8,2)',
  rate: 'decimal(5,4)',
  area: 'decimal(5,1)',
  rooms: 'int32',
  born: 'date',
  moved_in: 'date',
  updated_at: 'timestamp',
  active: 'bool',
  score: 'int32',
};

const CODES: Readonly<Partial<Record<FaultKind, string>>> = {
  'wrong-type': 'row.type',
  'bad-date': 'row.type',
  'out-of-range': 'row.range',
  'bad-utf8': 'row.utf8',
  columns: 'row.fields',
  cut: 'row.json',
};

/** A line of JSON has no columns, and one of CSV that is cut may have all of them. */
function kindsOf(format: 'csv' | 'jsonl'): FaultKind[] {
  const kinds = Object.keys(CODES) as FaultKind[];
  return kinds.filter((kind) => kind !== (format === 'csv' ? 'cut' : 'columns'));
}

it.each(['csv', 'jsonl'] as const)(
  'each record that was broken is in quarantine, and no other: %s',
  async (format) => {
    await using pair = new FileLake({ files: `t.${format}`, types: TYPES, max_bad: { percent: 100 } });
    const manifest = path.join(pair.folder, 'faults.jsonl');
    await generateFiles(openModel({ model: 'tenants', rows: 6000 }), {
      form: readFileForm(path.join(pair.files, `t.${format}`)),
      faults: { rate: 0.02, kinds: kindsOf(format) },
      manifest,
    });
    pair.age(`t.${format}`);
    const named = readFileSync(manifest, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Named);
    expect(named.length).toBeGreaterThan(100);
    const loaded = 6000 - named.length;
    expect(await pair.run()).toMatchObject({ totals: { loaded, quarantined: named.length } });
    const found = await Array.fromAsync(quarantine.read(pair.project, 'p', { directory: pair.folder }));
    const told = (
      line: number | undefined,
      column: string | null | undefined,
      code: string | undefined,
    ): string => `${line} ${column ?? '-'} ${code}`;
    expect(found.map(({ line, column, code }) => told(line, column, code)).toSorted()).toEqual(
      named.map(({ line, field, kind }) => told(line, field, CODES[kind])).toSorted(),
    );
    const keys = new Set(named.map(({ key }) => key));
    const missing = await pair.query(
      `SELECT i FROM range(1, 6001) AS all_keys(i) WHERE i NOT IN (SELECT id FROM t) ORDER BY i`,
    );
    expect(missing.map(([key]) => Number(key))).toEqual([...keys].toSorted((a, b) => a - b));
  },
);
