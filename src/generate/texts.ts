/** Fields of text. */
import { type ByteSink, utf8 } from './byte-sink.ts';
import { type Draw, type Field, type FieldOptions, textField } from './field.ts';
import { NOTES, PEOPLE } from './pools.ts';
import { fraction } from './random.ts';

/** One of some texts; one that stands there twice comes twice as often. */
export function oneOf(name: string, texts: readonly string[], options: FieldOptions = {}): Field {
  const pool = texts.map(utf8);
  return textField(name, (sink, { a }) => sink.put(pool[scaled(a, pool.length)]!), options);
}

/** `prefix` and the number of the record with leading zeros: `L-00004711`. */
export function code(name: string, prefix: string, width: number, options: FieldOptions = {}): Field {
  return textField(
    name,
    (sink, { index }) => {
      sink.ascii(prefix);
      sink.digits(index + 1, width);
    },
    options,
  );
}

/** Digits drawn at will, zeros in front among them, as postal codes and tax numbers have them. */
export function digits(name: string, width: number, options: FieldOptions = {}): Field {
  const bound = 10 ** Math.min(width, 9);
  return textField(
    name,
    (sink, { a, b }) => {
      if (width > 9) sink.digits(scaled(b, 10 ** (width - 9)), width - 9);
      sink.digits(scaled(a, bound), Math.min(width, 9));
    },
    options,
  );
}

/** A share as people write it: `12.5%`, and with a blank in one of eight. */
export function percent(name: string, max: number, options: FieldOptions = {}): Field {
  return textField(
    name,
    (sink, { a, b }) => {
      const tenths = scaled(a, max * 10 + 1);
      sink.digits((tenths / 10) | 0);
      if (tenths % 10 !== 0) {
        sink.byte(0x2e);
        sink.digits(tenths % 10);
      }
      if ((b & 7) === 0) sink.byte(0x20);
      sink.byte(0x25);
    },
    options,
  );
}

/** What people write into a field for remarks. */
export function note(name: string, options: FieldOptions = {}): Field {
  return oneOf(name, NOTES, options);
}

// ---- People: the fields of one record are of the same one

const PERSON = { purpose: 'person' };
const POOL = PEOPLE.map((group) => ({
  code: utf8(group.code),
  domain: utf8(`@${group.code.toLowerCase()}.example`),
  dialling: utf8(`+${group.dialling} `),
  given: group.given.map(([written, ascii]) => ({ written: utf8(written), ascii: utf8(ascii) })),
  family: group.family.map(([written, ascii]) => ({ written: utf8(written), ascii: utf8(ascii) })),
  cities: group.cities.map(utf8),
}));

/** Some countries have many times the records of others. */
const groupOf = ({ a }: Draw): (typeof POOL)[number] => POOL[Math.floor(fraction(a) ** 2 * POOL.length)]!;
const givenOf = <T>({ b }: Draw, names: readonly T[]): T => names[(b >>> 8) % names.length]!;
const familyOf = <T>({ b }: Draw, names: readonly T[]): T => names[(b >>> 20) % names.length]!;

export function personName(name: string, options: FieldOptions = {}): Field {
  const write = (sink: ByteSink, draw: Draw): void => {
    const group = groupOf(draw);
    sink.put(givenOf(draw, group.given).written);
    sink.byte(0x20);
    sink.put(familyOf(draw, group.family).written);
  };
  return textField(name, write, { ...PERSON, ...options });
}

/** Unlike names, no two records have the same one. */
export function email(name: string, options: FieldOptions = {}): Field {
  const write = (sink: ByteSink, draw: Draw): void => {
    const group = groupOf(draw);
    sink.put(givenOf(draw, group.given).ascii);
    sink.byte(0x2e);
    sink.put(familyOf(draw, group.family).ascii);
    sink.byte(0x2e);
    sink.digits(draw.index + 1);
    sink.put(group.domain);
  };
  return textField(name, write, { ...PERSON, ...options });
}

export function country(name: string, options: FieldOptions = {}): Field {
  return textField(name, (sink, draw) => sink.put(groupOf(draw).code), { ...PERSON, ...options });
}

export function city(name: string, options: FieldOptions = {}): Field {
  const write = (sink: ByteSink, draw: Draw): void => {
    const { cities } = groupOf(draw);
    sink.put(cities[(draw.b >>> 13) % cities.length]!);
  };
  return textField(name, write, { ...PERSON, ...options });
}

export function phone(name: string, options: FieldOptions = {}): Field {
  const write = (sink: ByteSink, draw: Draw): void => {
    sink.put(groupOf(draw).dialling);
    sink.digits(Math.imul(draw.b, 0x9e3779b1) >>> 0, 10);
  };
  return textField(name, write, { ...PERSON, ...options });
}

/** Some of `pool` as an array of texts; with a third of the records it is empty. */
export function textArray(name: string, pool: readonly string[], options: FieldOptions = {}): Field {
  const quoted = pool.map((text) => utf8(JSON.stringify(text)));
  const write = (sink: ByteSink, { a, b }: Draw): void => {
    sink.byte(0x5b);
    const count = (a % 6) >> 1;
    for (let i = 0; i < count; i++) {
      if (i > 0) sink.byte(0x2c);
      sink.put(quoted[((b >>> (8 * i)) & 255) % quoted.length]!);
    }
    sink.byte(0x5d);
  };
  return textField(name, write, { kind: 'json', ...options });
}

function scaled(word: number, span: number): number {
  return Math.floor(fraction(word) * span);
}
