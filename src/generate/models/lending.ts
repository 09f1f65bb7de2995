/** Partners who give loans, and what is paid back: three kinds of record that belong to each other. */
import { dayAfter, decimal, flag, id, moment, reference, uuid, whole } from '../fields.ts';
import { relettered, since, widened } from '../drifted.ts';
import type { Entity, Model } from '../model.ts';
import { object, objects } from '../nested.ts';
import { COMPANIES, CURRENCIES, LEGAL_FORMS, STREETS, TAGS } from '../pools.ts';
import {
  city,
  code,
  country,
  digits,
  email,
  note,
  oneOf,
  percent,
  personName,
  phone,
  textArray,
} from '../texts.ts';
import type { Field } from '../field.ts';

const RATINGS = ['A+', 'A', 'A', 'B', 'B', 'B', 'C', 'C-', 'D'];
const LOAN_STATUSES = [
  'current',
  'current',
  'current',
  'current',
  'late 1-15',
  'late 16-30',
  'defaulted',
  'repaid',
];
const METHODS = ['SEPA', 'SEPA', 'card', 'cash', 'büro/Überweisung'];
const COLLATERALS = ['none', 'real estate', 'vehicle', 'guarantee, personal'];

const money = { precision: 14, scale: 2 };
const coordinate = { precision: 9, scale: 6 };

function address(more: readonly Field[] = []): Field {
  return object(
    'address',
    [
      oneOf('street', STREETS),
      whole('number', { min: 1, max: 240 }),
      digits('zip', 5),
      city('city'),
      country('country'),
      object('geo', [
        decimal('lat', coordinate, { min: -60, max: 70 }),
        decimal('lon', coordinate, { min: -180, max: 180 }),
      ]),
      ...more,
    ],
    { purpose: 'person' },
  );
}

const SCORE = { min: 300, max: 850 };
const BRANCH = { min: 1, max: 400 };

const partners: Entity = {
  name: 'partners',
  summary: 'who gives loans: names in many scripts, an address with objects in it, tags',
  share: 0.02,
  fields: [
    id('id'),
    code('code', '', 6),
    oneOf('company', COMPANIES, { length: 60 }),
    oneOf('legal_form', LEGAL_FORMS),
    personName('contact', { length: 80 }),
    email('email', { length: 120 }),
    phone('phone', { nulls: 0.1 }),
    country('country'),
    digits('tax_id', 11),
    oneOf('rating', RATINGS, { changes: true }),
    percent('commission', 20),
    decimal('credit_limit', money, { min: 10_000, max: 25_000_000, skew: 4 }, { changes: true }),
    whole('branch', BRANCH),
    textArray('tags', TAGS, { nulls: 0.1 }),
    address(),
    flag('active', 0.93, { changes: true }),
    note('remarks', { nulls: 0.4, changes: true }),
    moment('created_at', 'created'),
    moment('updated_at', 'updated'),
  ],
  drift: {
    'new-field': { field: (day) => since(day, oneOf('segment', ['retail', 'SME', 'öffentlich'])) },
    rename: { replaces: 'phone', field: () => phone('phone_number', { nulls: 0.1 }) },
    retype: { replaces: 'branch', field: (day) => relettered('branch', BRANCH, day) },
    nested: { replaces: 'address', field: (day) => address([since(day, digits('district', 3))]) },
  },
};

const loans: Entity = {
  name: 'loans',
  summary: 'what was lent: exact amounts and rates, days, a schedule as an array of objects',
  share: 1,
  parent: 'partners',
  fields: [
    id('id'),
    reference('partner_id'),
    code('number', 'L-', 10),
    oneOf('status', LOAN_STATUSES, { changes: true }),
    oneOf('currency', CURRENCIES),
    decimal('principal', money, { min: 100, max: 500_000, skew: 3 }),
    decimal('outstanding', money, { min: 0, max: 500_000, skew: 4 }, { changes: true }),
    decimal('rate', { precision: 9, scale: 6 }, { min: 0.01, max: 0.4, skew: 2 }),
    percent('fee', 5),
    whole('term_months', { min: 1, max: 120, skew: 2 }, { kind: 'int16' }),
    whole('score', SCORE, { nulls: 0.05, changes: true }),
    personName('borrower', { length: 80 }),
    country('country'),
    dayAfter('first_due_on', { min: 28, max: 62 }),
    dayAfter('closed_on', { min: 30, max: 900 }, { nulls: 0.7, changes: true }),
    object(
      'collateral',
      [
        oneOf('kind', COLLATERALS),
        decimal('value', money, { min: 0, max: 900_000, skew: 3 }, { nulls: 0.2 }),
      ],
      { nulls: 0.3 },
    ),
    objects(
      'schedule',
      [dayAfter('due', { min: 30, max: 720 }), decimal('amount', money, { min: 5, max: 9000, skew: 2 })],
      3,
    ),
    note('purpose', { nulls: 0.5 }),
    moment('created_at', 'created'),
    moment('updated_at', 'updated'),
  ],
  drift: {
    'new-field': { field: (day) => since(day, uuid('external_id')) },
    rename: { replaces: 'fee', field: () => percent('fee_percent', 5, { purpose: 'fee' }) },
    decimal: {
      replaces: 'score',
      field: (day) => widened('score', SCORE, day, { nulls: 0.05, changes: true }),
    },
    nested: {
      replaces: 'collateral',
      field: (day) =>
        object(
          'collateral',
          [
            oneOf('kind', COLLATERALS),
            decimal('value', money, { min: 0, max: 900_000, skew: 3 }, { nulls: 0.2 }),
            since(day, object('appraisal', [dayAfter('on', { min: 1, max: 20 }), oneOf('by', COMPANIES)])),
          ],
          { nulls: 0.3 },
        ),
    },
  },
};

const payments: Entity = {
  name: 'payments',
  summary: 'what was paid back: many small records',
  share: 3,
  parent: 'loans',
  fields: [
    id('id'),
    reference('loan_id'),
    uuid('reference'),
    decimal('amount', money, { min: 0.01, max: 9000, skew: 3 }),
    decimal('interest', money, { min: 0, max: 900, skew: 4 }),
    oneOf('currency', CURRENCIES),
    oneOf('method', METHODS),
    dayAfter('booked_on', { min: 0, max: 4 }),
    flag('settled', 0.97, { changes: true }),
    note('text', { nulls: 0.7 }),
    moment('created_at', 'created'),
    moment('updated_at', 'updated'),
  ],
  drift: {
    'new-field': { field: (day) => since(day, oneOf('channel', ['web', 'app', 'branch'])) },
    rename: { replaces: 'text', field: () => note('remittance', { nulls: 0.7, purpose: 'text' }) },
  },
};

export const lending: Model = {
  name: 'lending',
  summary: 'partners, their loans, and payments',
  entities: [partners, loans, payments],
};
