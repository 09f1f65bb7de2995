/** Where the next page is, from what the last one said. One record of functions for each way that APIs have. Pure. */
import { DataError } from '../../core/errors.ts';
import type { AnswerHeaders } from '../shared/http/http-client.ts';
import { textOf } from '../shared/records/exact-json.ts';
import type { PagingOptions } from './options.ts';

/** What is put into a request for a page. */
export interface PageRequest {
  /** Parameters of the query, or of the body. */
  params: Readonly<Record<string, string>>;
  in: 'query' | 'body';
  /** In the place of the address of the endpoint. */
  url?: string | undefined;
  /** Where it begins, in records; and how many it may have, where it says so itself. */
  window?: { from: number; size: number | undefined } | undefined;
  /** It is to begin at a record that is known. */
  overlaps?: boolean | undefined;
  /** There should be nothing: the page before was not full, or has ended with a record that is known. */
  trial?: 'short' | 'ended' | undefined;
}

interface PageFacts {
  records: number;
  /** The body without its records. */
  around: unknown;
  headers: AnswerHeaders;
  /** Where they came from. */
  url: URL;
}

export interface Paging {
  first(): PageRequest;
  /** Undefined: that was the last one. */
  next(after: PageRequest, facts: PageFacts): PageRequest | undefined;
  /** Pages can be asked for without the one before. */
  ahead?(after: PageRequest): PageRequest;
  /**
   * The page that has the record at `at` and reaches as far as possible behind `beyond`, with at most `most` records. Undefined: there is
   * none. Absent: pages begin where the API says.
   */
  window?(at: number, limits: { beyond: number; most: number }): PageRequest | undefined;
  /** How many records there are in all, where the body says so. */
  estimate?(page: PageRequest, facts: PageFacts): number | undefined;
  /** A page that does not exist is the end, and no mistake. */
  endsMissing?: boolean;
}

export function pagingOf(options: PagingOptions | 'none' | undefined): Paging {
  if (options === undefined || options === 'none') return NONE;
  switch (options.by) {
    case 'page':
      return byPage(options);
    case 'offset':
      return byOffset(options);
    case 'cursor':
      return byCursor(options);
    case 'link':
      return {
        first: () => PLAIN,
        next: (_, facts) => toUrl(nextLink(facts.headers.get('link') ?? ''), facts),
      };
    case 'next_url':
      return { first: () => PLAIN, next: (_, facts) => toUrl(textAt(facts.around, options.next), facts) };
  }
}

const PLAIN: PageRequest = { params: {}, in: 'query' };
const NONE: Paging = { first: () => PLAIN, next: () => undefined };

function byPage({
  param = 'page',
  first = 1,
  size_param,
  size,
  pages,
  in: where = 'query',
}: Extract<PagingOptions, { by: 'page' }>): Paging {
  const sized = size_param !== undefined && size !== undefined;
  const page = (number: number, records: number | undefined): PageRequest => ({
    params: { [param]: String(number), ...sizeOf(size_param, records) },
    in: where,
    ...(sized && { window: { from: (number - first) * records!, size: records } }),
  });
  // Not every server counts them by the size that it was asked for.
  const pagesOf = ({ window }: PageRequest, around: unknown): number | undefined =>
    pages === undefined || (window && window.size !== size) ? undefined : numberAt(around, pages);
  const following = ({ params, window }: PageRequest): PageRequest =>
    page(Number(params[param]) + 1, window?.size ?? size);
  return {
    endsMissing: true,
    first: () => page(first, size),
    next: (after, { records, around }) => {
      const last = pagesOf(after, around);
      // Only an empty page is the end for sure: a short one may be all that the server gives at once.
      if (records === 0 || (last !== undefined && Number(after.params[param]) - first + 1 >= last))
        return undefined;
      return following(after);
    },
    ahead: following,
    estimate: (after, { records, around }) => {
      const count = pagesOf(after, around);
      return count === undefined ? undefined : count * (size ?? records);
    },
    ...(sized && {
      // Pages of another size begin elsewhere: one of them has both sides of where the pages before have ended.
      window: (at, { beyond, most }) => {
        let best: { index: number; records: number } | undefined;
        // Larger ones than it was given so far only where small ones all end at the same place.
        const largest = most < size ? most : 4 * size;
        for (let records = 2; records <= largest && !(best && records > most); records++) {
          const index = Math.floor(at / records);
          const end = (index + 1) * records;
          if (end > beyond && end >= (best ? (best.index + 1) * best.records : 0)) best = { index, records };
        }
        return best && page(first + best.index, best.records);
      },
    }),
  };
}

function byOffset({
  param = 'offset',
  size_param,
  size,
  total,
  in: where = 'query',
}: Extract<PagingOptions, { by: 'offset' }>): Paging {
  const at = (offset: number): PageRequest => ({
    params: {
      [param]: String(offset),
      ...sizeOf(size_param ?? (size === undefined ? undefined : 'limit'), size),
    },
    in: where,
    window: { from: offset, size },
  });
  return {
    first: () => at(0),
    next: (after, { records, around }) => {
      const offset = Number(after.params[param]) + records;
      const all = total === undefined ? undefined : numberAt(around, total);
      return records === 0 || (all !== undefined && offset >= all) ? undefined : at(offset);
    },
    window: at,
    estimate: (_, { around }) => (total === undefined ? undefined : numberAt(around, total)),
  };
}

function byCursor({
  next,
  param = 'cursor',
  size_param,
  size,
  more,
  in: where = 'query',
}: Extract<PagingOptions, { by: 'cursor' }>): Paging {
  const sized = sizeOf(size_param, size);
  return {
    first: () => ({ params: sized, in: where }),
    next: (_, { around, headers }) => {
      const cursor = next.startsWith('header:') ? headers.get(next.slice(7).trim()) : textAt(around, next);
      if (cursor === undefined || cursor === null || cursor === '') return undefined;
      if (more !== undefined && saysNo(valueAt(around, more))) return undefined;
      return { params: { ...sized, [param]: cursor }, in: where };
    },
  };
}

function sizeOf(param: string | undefined, size: number | undefined): Record<string, string> {
  return param === undefined || size === undefined ? {} : { [param]: String(size) };
}

/** Only what says so is the end: whoever has no such member goes by the cursor alone. */
function saysNo(more: unknown): boolean {
  return more === false || more === 0 || (typeof more === 'string' && /^(false|0|no|n)$/i.test(more.trim()));
}

/** `url` may be relative to the address of the page that has it (RFC 3986, 5.1.3). */
function toUrl(url: string | undefined, { url: base }: PageFacts): PageRequest | undefined {
  if (url === undefined) return undefined;
  const target = URL.parse(url, base.href);
  if (target) return { params: {}, in: 'query', url: target.href };
  throw new DataError('looking for the next page: what the API gives for it is no address', {
    code: 'rest.paging',
    remedy: 'correct `paging` of the endpoint: what is no address may be a cursor',
  });
}

/** RFC 8288, as far as the relation `next` needs it. */
export function nextLink(header: string): string | undefined {
  for (const [, url, attributes = ''] of header.matchAll(
    /<([^>]*)>((?:\s*;\s*[\w*!-]+\s*=?\s*(?:"[^"]*"|[^",;\s]*))*)/g,
  ))
    if (/;\s*rel\s*=\s*(?:"[^"]*\bnext\b[^"]*"|next\b)/i.test(attributes)) return url;
  return undefined;
}

/** What a path such as `meta.next` leads to; null where it is null on the way there. */
export function valueAt(body: unknown, path: string): unknown {
  let value = body;
  for (const name of path.split('.')) {
    if (value === null) return null;
    if (typeof value !== 'object' || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}

function textAt(body: unknown, path: string): string | undefined {
  const value = valueAt(body, path);
  if (value === undefined || value === null || value === '' || value === false) return undefined;
  const text = textOf(value);
  if (text !== undefined) return text;
  throw new DataError(`looking for the next page: "${path}" of the body is no text`, {
    code: 'rest.paging',
    remedy: 'correct `paging.next` of the endpoint',
  });
}

function numberAt(body: unknown, path: string): number | undefined {
  const value = Number(textOf(valueAt(body, path)));
  // Who does not know says 0 or -1.
  return value > 0 ? value : undefined;
}
