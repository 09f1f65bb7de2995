import { expect, test } from 'vitest';
import { type ElementsJob, ElementSplitter } from './element-splitter.ts';

/** Lines of elements, or undefined for what is no record. */
function split(record: string, job: Partial<ElementsJob> = {}): string[] | undefined {
  const lines: string[] = [];
  let line = '';
  const path = job.path ?? ['lines'];
  const splitter = new ElementSplitter(
    {
      path,
      carried: [{ field: 'id', column: 'orders_id' }],
      indexes: path.map((name) => `${name}_index`),
      group: ['orders_id'],
      flatten: 0,
      ...job,
    },
    {
      element: (bytes, from, to) => void (line += Buffer.from(bytes.subarray(from, to)).toString()),
      ended: () => {
        lines.push(line.replace(/\n$/, ''));
        line = '';
      },
    },
  );
  const around = Buffer.from(`,${record}]`);
  return splitter.split(around, 1, around.length - 1) ? lines : undefined;
}

test('gives each element what tells its record and its place, and leaves digits as they are', () => {
  expect(
    split(
      '{"lines" : [ {"p":1.10} , {"p":12345678901234567890,"x":{"y":[1]}},{ }], "id":"7\\"" , "lines2":[]}',
    ),
  ).toEqual([
    '{"orders_id":"7\\"","lines_index":0,"p":1.10}',
    '{"orders_id":"7\\"","lines_index":1,"p":12345678901234567890,"x":{"y":[1]}}',
    '{"orders_id":"7\\"","lines_index":2}',
  ]);
});

test('takes what is no object as a value, and an object for an array of one', () => {
  expect(split('{"id":1,"lines":["a,]", -1.5, null, [1,[2]], {"value":3}]}')).toEqual([
    '{"orders_id":1,"lines_index":0,"value":"a,]"}',
    '{"orders_id":1,"lines_index":1,"value":-1.5}',
    '{"orders_id":1,"lines_index":2}',
    '{"orders_id":1,"lines_index":3,"value":[1,[2]]}',
    '{"orders_id":1,"lines_index":4,"value":3}',
  ]);
  expect(split('{"id":1,"lines":{"sku":"a"}}')).toEqual(['{"orders_id":1,"lines_index":0,"sku":"a"}']);
  expect(split('{"id":1,"lines":""}')).toEqual(['{"orders_id":1,"lines_index":0,"value":""}']);
  for (const none of [
    '{"id":1}',
    '{"id":1,"lines":null}',
    '{"id":1,"lines":[]}',
    '{"id":1,"x":{"lines":[1]}}',
    '{}',
  ])
    expect(split(none)).toEqual([]);
});

test('goes through arrays and objects on its way', () => {
  const path = ['lines', 'meta', 'taxes'];
  expect(
    split('{"id":1,"lines":[{"meta":{"taxes":[{"c":1},{"c":2}]}},4,{"meta":[{},{"taxes":{"c":3}}]}]}', {
      path,
    }),
  ).toEqual([
    '{"orders_id":1,"lines_index":0,"meta_index":0,"taxes_index":0,"c":1}',
    '{"orders_id":1,"lines_index":0,"meta_index":0,"taxes_index":1,"c":2}',
    '{"orders_id":1,"lines_index":2,"meta_index":1,"taxes_index":0,"c":3}',
  ]);
});

test('gives own members another name that are called like ours', () => {
  expect(split('{"id":1,"lines":[{"orders_id":9,"lines_\\u0069ndex":8,"a":1}]}')).toEqual([
    '{"orders_id":1,"lines_index":0,"lines_orders_id":9,"lines_lines_index":8,"a":1}',
  ]);
  const orders = '{"id":1,"lines":[{"orders":{"id":9}}]}';
  expect(split(orders)).toEqual(['{"orders_id":1,"lines_index":0,"orders":{"id":9}}']);
  expect(split(orders, { flatten: 1 })).toEqual(['{"orders_id":1,"lines_index":0,"lines_orders":{"id":9}}']);
});

test('finds what it carries by the last member of a name, however it is written, and within objects', () => {
  expect(split('{"id":1,"lines":[1],"i\\u0064":2,"l\\u0069nes":[3,4]}')).toEqual([
    '{"orders_id":2,"lines_index":0,"value":3}',
    '{"orders_id":2,"lines_index":1,"value":4}',
  ]);
  const carried = [{ field: 'shop_no_x', column: 'orders_shop_no_x' }];
  expect(split('{"shop":{"no":{"x":5}},"lines":[{}]}', { carried, flatten: 2, group: [] })).toEqual([
    '{"orders_shop_no_x":5,"lines_index":0}',
  ]);
  expect(split('{"shop":{"no":{"x":5}},"lines":[{}]}', { carried, flatten: 1, group: [] })).toEqual([
    '{"lines_index":0}',
  ]);
});

test('refuses what is no record, and hands on what is no element', () => {
  for (const broken of [
    '[1]',
    '7',
    '{"id":1,"lines":[1]',
    '{"id" 1}',
    '{"id":1 "lines":[]}',
    '{id:1}',
    '{"a":"',
    '',
  ])
    expect(split(broken)).toBeUndefined();
  expect(split('{"id":1,"lines":[{"a" 1},{"b":2}]}')).toEqual([
    '{"orders_id":1,"lines_index":0,"a" 1}',
    '{"orders_id":1,"lines_index":1,"b":2}',
  ]);
  expect(split('{"id":1,"lines":[1,,2]}')).toHaveLength(2);
});
