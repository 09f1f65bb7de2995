import { expect, test } from 'vitest';
import type { StreamConfig } from '../../../core/stream.ts';
import { childColumns, childName, childOf, childShape, parentConfig } from './child-stream.ts';

const STREAMS = ['orders', 'shop', 'shop.orders'].map((name) => ({ name }));

function streamOf(name: string, more: Partial<StreamConfig> = {}): StreamConfig {
  return { name, table: 't', load: 'merge', cursor: [], nullCursor: 'load', rename: {}, types: {}, ...more };
}

test.each([
  ['orders.lines', 'orders', ['lines']],
  ['shop.orders.lines.taxes', 'shop.orders', ['lines', 'taxes']],
  ['orders."a.b"."c""d"', 'orders', ['a.b', 'c"d']],
])('%s lies in another stream', (name, parent, path) => {
  expect(childOf(name, STREAMS)).toEqual({ parent, path });
  expect(childName({ parent, path })).toBe(name);
});

test.each(['orders', 'shop.orders', 'other.lines', 'orders_lines', 'orders.', 'orders.a..b'])(
  '%s does not',
  (name) => expect(childOf(name, STREAMS)).toBeUndefined(),
);

test('columns of the parent are those of its key, and those that the stream names', () => {
  const child = { parent: 'my-orders', path: ['kids', 'kids', 'x'] };
  const stream = streamOf('my-orders.kids.kids.x', {
    cursor: ['my_orders_at'],
    partitionBy: { column: 'my_orders_day', by: 'value' },
  });
  expect(childColumns(child, stream, ['shop', 'id'])).toEqual({
    carried: ['shop', 'id', 'at', 'day'].map((field) => ({ field, column: `my_orders_${field}` })),
    indexes: ['kids_index', 'kids_kids_index', 'x_index'],
    group: ['my_orders_shop', 'my_orders_id'],
  });
  expect(parentConfig(child, stream)).toMatchObject({ name: 'my-orders', cursor: ['at'] });
  expect(parentConfig(child, { ...stream, key: ['my_orders_no', 'x_index'] })).toMatchObject({ key: ['no'] });
  expect(() => parentConfig(child, streamOf('c', { cursor: ['at'] }))).toThrow(
    /"at" is no column of my-orders/,
  );
});

test('what cannot be loaded so is refused', () => {
  const child = { parent: 'orders', path: ['lines'] };
  const shape = { key: [], asked: 'test' };
  const stream = streamOf('orders.lines');
  expect(() => childShape(child, stream, shape)).toThrow(/merge needs the key of orders/);
  expect(childShape(child, { ...stream, load: 'replace' }, shape).key).toEqual([]);
  expect(() => childShape(child, { ...stream, load: 'scd2' }, { ...shape, key: ['id'] })).toThrow(
    /no versions/,
  );
  expect(() => childShape(child, stream, { ...shape, key: ['id'], config: { format: 'csv' } })).toThrow(
    /CSV/,
  );
  const key = ['orders_no', 'lines_index'];
  expect(childShape(child, { ...stream, key }, shape)).toMatchObject({ key, group: ['orders_no'] });
});
