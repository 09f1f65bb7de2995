/** What a request asks for, and what the answer says of the page after it. */
import type { Selection } from '../dataset.ts';
import type { ApiOptions, Paging } from './api-options.ts';
import { PAGINGS } from './api-options.ts';
import { type Hostility, isOn } from './hostility.ts';

/** A request that cannot be answered, with what is wrong with it. */
export class BadRequest extends Error {}

export interface PageRequest {
  readonly paging: Paging;
  readonly size: number;
  /** Position of its first record, as the client counts. */
  readonly start: number;
  /** Where the records are in the body; '' is a body that is an array. */
  readonly records: string;
  readonly lines: boolean;
  readonly again: boolean;
}

export interface Page {
  /** Positions of the records that it has. */
  readonly from: number;
  readonly to: number;
  /** Position at which the next page begins, as the client counts; undefined after the last. */
  readonly next: number | undefined;
  /** The next page is this one once more, which was left without records. */
  readonly again: boolean;
  /** Records in all, as far as the client is told. */
  readonly total: number;
}

const DEFAULT_SIZE = 100;
const LARGEST = 10_000;
const BODY_PAGINGS: readonly Paging[] = ['cursor', 'next'];

export function readPageRequest(
  query: URLSearchParams,
  options: ApiOptions,
  selection: Selection,
): PageRequest {
  const lines = query.get('format') === 'jsonl';
  const paging = (query.get('paging') ?? options.paging ?? 'page') as Paging;
  if (!PAGINGS.includes(paging)) throw new BadRequest(`paging is one of ${PAGINGS.join(', ')}`);
  if (lines && BODY_PAGINGS.includes(paging))
    throw new BadRequest(
      `records one a line leave no room for the next page: use paging page, offset, header or link`,
    );
  const largest = options.largestPage ?? LARGEST;
  const wanted = wholeNumber(query, ['per_page', 'limit'], options.pageSize ?? DEFAULT_SIZE);
  if (wanted < 1) throw new BadRequest('a page has at least one record');
  const size = paging === 'none' ? Math.max(1, selection.count) : Math.min(wanted, largest);
  const plain = paging === 'none' || paging === 'header' || paging === 'link';
  const records = query.get('records') ?? options.records ?? (plain ? '' : 'data');
  if (records === '' && BODY_PAGINGS.includes(paging))
    throw new BadRequest(`an array has no room for the next page: use paging page, offset, header or link`);
  const cursor = query.get('cursor');
  const again = query.has('again') || (cursor !== null && decoded(cursor).endsWith(AGAIN));
  return { paging, size, records, lines, again, start: startOf(query, paging, { size, selection }) };
}

function startOf(
  query: URLSearchParams,
  paging: Paging,
  { size, selection }: { size: number; selection: Selection },
): number {
  switch (paging) {
    case 'page':
    case 'link': {
      const page = wholeNumber(query, ['page'], 1);
      if (page < 1) throw new BadRequest('pages are counted from 1 on');
      return (page - 1) * size;
    }
    case 'offset':
    case 'next':
      return wholeNumber(query, ['offset'], 0);
    case 'cursor':
    case 'header': {
      const cursor = query.get('cursor');
      return cursor === null ? 0 : positionAfter(selection, cursor);
    }
    case 'none':
      return 0;
  }
}

function wholeNumber(query: URLSearchParams, names: readonly string[], otherwise: number): number {
  const name = names.find((candidate) => query.has(candidate));
  if (name === undefined) return otherwise;
  const value = Number(query.get(name));
  if (!Number.isSafeInteger(value) || value < 0) throw new BadRequest(`${name} is a whole number`);
  return value;
}

const AGAIN = ' again';

/** A cursor names the last record that was read, so that records which come or go before it change nothing. */
export function cursorAfter(selection: Selection, position: number, again: boolean): string {
  const index = position === 0 ? -1 : selection.index(Math.min(position, selection.count) - 1);
  return Buffer.from(`after ${index}${again ? AGAIN : ''}`).toString('base64url');
}

function decoded(cursor: string): string {
  return Buffer.from(cursor, 'base64url').toString();
}

function positionAfter(selection: Selection, cursor: string): number {
  const index = /^after (-?\d+)(?: again)?$/.exec(decoded(cursor))?.[1];
  if (index === undefined) throw new BadRequest('the cursor is none of ours');
  let low = 0;
  let high = selection.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (selection.index(middle) <= Number(index)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Which records the page has, with what goes wrong about it. */
export function cutPage(request: PageRequest, selection: Selection, hostile: readonly Hostility[]): Page {
  const { start, size, again, paging } = request;
  const { count } = selection;
  const number = Math.floor(start / size);
  const on = (kind: string): Hostility | undefined =>
    hostile.find((of) => of.kind === kind && isOn(of, number));
  const amount = (of: Hostility | undefined): number => (of ? Number(of.argument ?? 1) : 0);
  const counted = paging !== 'cursor' && paging !== 'header';
  // Every page before this one has seen so many records come in front.
  const came = counted ? number * amount(hostile.find(({ kind }) => kind === 'shift')) : 0;
  const total = count + came;
  if (on('blank') && !again && number > 0) return { from: 0, to: 0, next: start, again: true, total };
  const endless = on('endless') !== undefined && count > 0;
  const shifted = Math.max(0, start - came);
  const begin = endless ? shifted % count : Math.min(shifted, count);
  const to = Math.min(begin + size, count);
  const from = number === 0 ? begin : Math.max(0, begin - amount(on('repeat')));
  const following = endless || shifted + size < count ? start + size : undefined;
  return { from, to, next: on('loop') ? start : following, again: false, total };
}
