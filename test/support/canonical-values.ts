/**
 * Values of every type with the canonical text that docs/concepts/verify.md gives them, worked out here without any
 * database, and how each system writes them.
 */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { renderCursor } from '../../src/connectors/shared/cursor-value.ts';
import type { LogicalType } from '../../src/core/types.ts';

export interface CanonicalValue {
  type: LogicalType;
  /** As the text of a row of this one column; empty for NULL. */
  canonical: string | Buffer;
  postgres: string;
  duckdb: string;
  /** Undefined where MySQL and MariaDB have no such value. */
  mysql: string | undefined;
}

const SEED = 20_260_725;
const RANDOM = 200;

function random<T>(arbitrary: fc.Arbitrary<T>): T[] {
  return fc.sample(arbitrary, { seed: SEED, numRuns: RANDOM });
}

export function canonicalValues(): CanonicalValue[] {
  return [
    ...bools(),
    ...integers(),
    ...decimals(),
    ...floats(),
    ...texts(),
    ...bytes(),
    ...uuids(),
    ...dates(),
    ...times(),
    ...timestamps(),
  ];
}

/** Microseconds of the years 1 to 9999. */
const YEARS = { first: -62_135_596_800_000_000n, last: 253_402_300_799_999_999n };

/** What a target keeps that has years 1 to 9999, no -0 and finite floats only. U+0000 is in none of the values. */
export function keptCanonical({ type, canonical }: CanonicalValue): string | Buffer {
  const text = canonical.toString();
  switch (type.kind) {
    case 'float32':
    case 'float64':
      if (text === '8000000000000000') return '0000000000000000';
      return /^[7f]ff/.test(text) ? '' : canonical;
    case 'date':
      return Number(text) >= -719_162 && Number(text) <= 2_932_896 ? canonical : '';
    case 'timestamp': {
      if (text === '') return '';
      const micros = BigInt.asIntN(64, BigInt(`0x${text}`)) + TO_2000;
      return micros >= YEARS.first && micros <= YEARS.last ? canonical : '';
    }
    default:
      return canonical;
  }
}

function bools(): CanonicalValue[] {
  return ['true', 'false', 'NULL'].map((text) => ({
    type: { kind: 'bool' },
    canonical: text === 'NULL' ? '' : text === 'true' ? '1' : '0',
    ...everywhere(`CAST(${text} AS boolean)`, `CAST(${text} AS BOOLEAN)`, text),
  }));
}

function everywhere(
  postgres: string,
  duckdb: string,
  mysql: string | undefined,
): Omit<CanonicalValue, 'type' | 'canonical'> {
  return { postgres, duckdb, mysql };
}

function integers(): CanonicalValue[] {
  const kinds = [
    ['int16', 'smallint', 15n],
    ['int32', 'integer', 31n],
    ['int64', 'bigint', 63n],
  ] as const;
  return kinds.flatMap(([kind, sql, bits]) => {
    const most = 2n ** bits;
    const values = [0n, 1n, -1n, most - 1n, -most, ...random(fc.bigInt(-most, most - 1n))];
    return values.map((value) => ({
      type: { kind },
      canonical: String(value),
      ...everywhere(`CAST('${value}' AS ${sql})`, `CAST('${value}' AS ${sql})`, `CAST('${value}' AS SIGNED)`),
    }));
  });
}

function decimals(): CanonicalValue[] {
  const shapes = [
    [1, 0],
    [1, 1],
    [4, 2],
    [9, 9],
    [12, 2],
    [18, 6],
    [30, 30],
    [38, 0],
    [38, 10],
    [38, 38],
  ] as const;
  return shapes.flatMap(([precision, scale]) => {
    const most = 10n ** BigInt(precision) - 1n;
    const type: LogicalType = { kind: 'decimal', precision, scale };
    const sql = `(${precision},${scale})`;
    const found = [0n, 1n, -1n, most, -most, ...random(fc.bigInt(-most, most))].map(
      (value): CanonicalValue => {
        const digits = String(value < 0n ? -value : value).padStart(scale + 1, '0');
        const point = digits.length - scale;
        const text = `${value < 0n ? '-' : ''}${digits.slice(0, point)}${scale > 0 ? '.' : ''}${digits.slice(point)}`;
        return {
          type,
          canonical: text,
          ...everywhere(
            `CAST('${text}' AS numeric${sql})`,
            `CAST('${text}' AS DECIMAL${sql})`,
            // MySQL has 30 digits after the point at most.
            scale <= 30 ? `CAST('${text}' AS DECIMAL${sql})` : undefined,
          ),
        };
      },
    );
    const nan = {
      type,
      canonical: '',
      ...everywhere(`CAST('NaN' AS numeric${sql})`, `CAST(NULL AS DECIMAL${sql})`, undefined),
    };
    return [...found, nan];
  });
}

function floats(): CanonicalValue[] {
  const special = [
    0,
    -0,
    1,
    -1,
    0.1,
    1 / 3,
    1e23,
    5e-324,
    -5e-324,
    2.2250738585072014e-308,
    1.7976931348623157e308,
    9007199254740992,
    4.35,
    123456789.125,
    NaN,
    Infinity,
    -Infinity,
  ];
  const doubles = [...special, ...random(fc.double())].map((value) => float(value, 'float64'));
  const singles = [...special, ...random(fc.float())].map((value) => float(Math.fround(value), 'float32'));
  return [...doubles, ...singles];
}

/** Singles have the bits of the double that is equal to them. */
function float(value: number, kind: 'float32' | 'float64'): CanonicalValue {
  const buffer = Buffer.alloc(8);
  buffer.writeDoubleBE(value);
  const text = Object.is(value, -0) ? '-0' : String(value);
  const [postgres, duckdb] = kind === 'float32' ? ['real', 'FLOAT'] : ['double precision', 'DOUBLE'];
  const literal = text.includes('e') ? text : `${text}e0`;
  return {
    type: { kind },
    canonical: Number.isNaN(value) ? '7ff8000000000000' : buffer.toString('hex'),
    ...everywhere(
      `CAST('${text}' AS ${postgres})`,
      `CAST('${text}' AS ${duckdb})`,
      // MariaDB stores -0 as 0.
      Number.isFinite(value) && text !== '-0' ? literal : undefined,
    ),
  };
}

function texts(): CanonicalValue[] {
  const special = [
    '',
    ' ',
    'a,b',
    '5:a',
    'ÄÖ ß 😀 \u200d',
    "O'Reilly",
    '\\',
    '\n\t',
    'a'.repeat(65_536),
    'é'.repeat(40_000),
    '∅',
    'NULL',
  ];
  const values = [
    ...special,
    ...random(fc.string({ unit: 'binary' })).map((text) => text.replaceAll('\0', '')),
  ];
  const found = values.map((text): CanonicalValue => {
    const utf8 = Buffer.from(text);
    return {
      type: { kind: 'utf8' },
      canonical: long(utf8, utf8),
      ...everywhere(
        `convert_from('\\x${utf8.toString('hex')}', 'UTF8')`,
        `decode(unhex('${utf8.toString('hex')}'))`,
        `CONVERT(X'${utf8.toString('hex')}' USING utf8mb4)`,
      ),
    };
  });
  const json = '{"a": 1.50,  "b":[null]}';
  return [
    ...found,
    {
      type: { kind: 'utf8' },
      canonical: '',
      ...everywhere('NULL::text', 'NULL::VARCHAR', 'CAST(NULL AS CHAR)'),
    },
    {
      type: { kind: 'json' },
      canonical: `${json.length}:${json}`,
      ...everywhere(`'${json}'::json`, `'${json}'`, `'${json}'`),
    },
  ];
}

/** Values longer than 64 KiB stand as their MD5. */
function long(value: Buffer, shown: Buffer): Buffer {
  const text = value.length > 65_536 ? Buffer.from(createHash('md5').update(value).digest('hex')) : shown;
  return Buffer.concat([Buffer.from(`${value.length}:`), text]);
}

function bytes(): CanonicalValue[] {
  const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const values = [
    Buffer.alloc(0),
    Buffer.from([0]),
    all,
    Buffer.alloc(65_537, 7),
    ...random(fc.uint8Array()).map((value) => Buffer.from(value)),
  ];
  return values.map((value) => {
    const hex = value.toString('hex');
    return {
      type: { kind: 'binary' },
      canonical: long(value, Buffer.from(hex)),
      ...everywhere(`'\\x${hex}'::bytea`, `unhex('${hex}')`, `FROM_BASE64('${value.toString('base64')}')`),
    };
  });
}

function uuids(): CanonicalValue[] {
  return [
    ...random(fc.uuid()),
    'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
    '00000000-0000-0000-0000-000000000000',
  ].map((text) => ({
    type: { kind: 'uuid' },
    canonical: text.toLowerCase(),
    ...everywhere(`'${text}'::uuid`, `'${text}'::UUID`, `'${text}'`),
  }));
}

const DAY: LogicalType = { kind: 'date' };

function dates(): CanonicalValue[] {
  // From 4713 BC to as far as PostgreSQL goes; MySQL knows the years 1 to 9999.
  const [first, last] = [-2_440_588, 2_145_031_948];
  const values = [
    0,
    -1,
    first,
    last,
    -719_162,
    2_932_896,
    59,
    ...random(fc.integer({ min: first, max: last })),
    ...random(fc.integer({ min: -719_162, max: 2_932_896 })),
  ];
  const found = values.map((days): CanonicalValue => {
    const text = renderCursor(BigInt(days), DAY);
    return {
      type: DAY,
      canonical: String(days),
      ...everywhere(
        `'${text}'::date`,
        `(DATE '1970-01-01' + ${days})`,
        days >= -719_162 && days <= 2_932_896 ? `DATE '${text}'` : undefined,
      ),
    };
  });
  const infinite = ['infinity', '-infinity'].map((text) => ({
    type: DAY,
    canonical: text,
    ...everywhere(`'${text}'::date`, `'${text}'::DATE`, undefined),
  }));
  return [...found, ...infinite];
}

function hex64(value: bigint): string {
  return BigInt.asUintN(64, value).toString(16).padStart(16, '0');
}

function times(): CanonicalValue[] {
  const most = 86_400_000_000n;
  return [0n, 1n, most - 1n, most, ...random(fc.bigInt(0n, most))].map((micros) => {
    const seconds = micros / 1_000_000n;
    const pad = (n: bigint, width = 2): string => String(n).padStart(width, '0');
    const text = `${pad(seconds / 3600n)}:${pad((seconds / 60n) % 60n)}:${pad(seconds % 60n)}.${pad(micros % 1_000_000n, 6)}`;
    return {
      type: { kind: 'time' },
      canonical: hex64(micros),
      ...everywhere(`'${text}'::time`, `'${text}'::TIME`, `CAST('${text}' AS TIME(6))`),
    };
  });
}

const TO_2000 = 946_684_800_000_000n;

function timestamps(): CanonicalValue[] {
  return [true, false].flatMap((zone) => {
    const type: LogicalType = { kind: 'timestamp', zone };
    const [postgres, duckdb] = zone ? ['timestamptz', 'TIMESTAMPTZ'] : ['timestamp', 'TIMESTAMP'];
    // 4713 BC, and what 64 bits hold; MySQL knows the years 1 to 9999.
    const [first, last] = [-210_866_803_200_000_000n, 9_223_372_036_854_775_806n];
    const [year1, year9999] = [-62_135_596_800_000_000n, 253_402_300_799_999_999n];
    const values = [
      0n,
      1n,
      -1n,
      TO_2000,
      TO_2000 - 1n,
      first,
      last,
      year1,
      year9999,
      ...random(fc.bigInt(first, last)),
      ...random(fc.bigInt(year1, year9999)),
    ];
    const found = values.map((micros): CanonicalValue => {
      const text = renderCursor(micros, type);
      const plain = text.replace('+00', '');
      return {
        type,
        canonical: hex64(micros - TO_2000),
        ...everywhere(
          `'${text}'::${postgres}`,
          `make_${zone ? 'timestamptz' : 'timestamp'}(${micros})`,
          micros >= year1 && micros <= year9999 ? `TIMESTAMP '${plain}'` : undefined,
        ),
      };
    });
    const infinite = (text: string, canonical: string): CanonicalValue => ({
      type,
      canonical,
      ...everywhere(`'${text}'::${postgres}`, `'${text}'::${duckdb}`, undefined),
    });
    const late: CanonicalValue = {
      type,
      canonical: '',
      // What the types of Sluice cannot hold becomes NULL by rule.
      ...everywhere(
        `'294276-12-31 23:59:59.999999${zone ? '+00' : ''}'::${postgres}`,
        `NULL::${duckdb}`,
        undefined,
      ),
    };
    return [
      ...found,
      infinite('infinity', '7fffffffffffffff'),
      infinite('-infinity', '8000000000000000'),
      late,
    ];
  });
}
