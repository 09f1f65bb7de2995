/** One kind of record with 20 plain fields, for measuring. */
import { day, decimal, flag, id, moment, whole } from '../fields.ts';
import { relettered, since, widened } from '../drifted.ts';
import type { Model } from '../model.ts';
import { city, code, digits, email, note, oneOf, personName, phone } from '../texts.ts';

const money = { precision: 8, scale: 2 };
const SCORE = { min: -100, max: 100 };
const UNIT = { min: 1, max: 99_999 };

export const tenants: Model = {
  name: 'tenants',
  summary: 'one kind of record with 20 plain fields',
  entities: [
    {
      name: 'tenants',
      summary: 'text, numbers, days, moments and truth values, and nothing nested',
      share: 1,
      fields: [
        id('id'),
        personName('tenant', { length: 80 }),
        whole('unit', UNIT, { kind: 'int64' }),
        code('contract', 'C', 9),
        oneOf('status', ['active', 'active', 'late', 'gone'], { changes: true }),
        decimal('rent', money, { min: 300, max: 3000, skew: 2 }, { changes: true }),
        decimal('deposit', money, { min: 500, max: 8500 }),
        decimal('rate', { precision: 5, scale: 4 }, { min: 0, max: 0.9999 }),
        decimal('area', { precision: 5, scale: 1 }, { min: 20, max: 200 }),
        whole('rooms', { min: 1, max: 7, skew: 2 }),
        day('born', '1945-01-01', '2005-12-31'),
        day('moved_in', '2010-01-01', '2025-12-31'),
        moment('updated_at', 'updated', { zone: false }),
        flag('active', 0.8, { changes: true }),
        whole('score', SCORE, { changes: true }),
        email('email', { length: 120 }),
        phone('phone', { nulls: 0.1 }),
        city('city'),
        digits('zip', 5),
        note('note', { nulls: 0.6 }),
      ],
      drift: {
        'new-field': { field: (from) => since(from, oneOf('heating', ['gas', 'heat pump', 'öl'])) },
        rename: { replaces: 'phone', field: () => phone('phone_number', { nulls: 0.1 }) },
        decimal: { replaces: 'score', field: (from) => widened('score', SCORE, from, { changes: true }) },
        retype: { replaces: 'unit', field: (from) => relettered('unit', UNIT, from) },
      },
    },
  ],
};
