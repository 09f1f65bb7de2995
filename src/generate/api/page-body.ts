/** The bytes and headers of an answer with records. */
import type { Selection } from '../dataset.ts';
import { cursorAfter, type Page, type PageRequest } from './page-request.ts';

export interface Envelope {
  readonly before: Buffer;
  readonly after: Buffer;
  readonly headers: Record<string, string>;
}

/** What stands around the records, and in the headers. `url`: that of the request. */
export function envelope(
  request: PageRequest,
  page: Page,
  { url, selection }: { url: URL; selection: Selection },
): Envelope {
  const { paging, lines, records } = request;
  const facts = bodyFacts(request, page, { url, selection });
  const headers: Record<string, string> = {
    'content-type': lines ? 'application/x-ndjson' : 'application/json; charset=utf-8',
  };
  if (page.next !== undefined) {
    if (paging === 'header') headers['x-next-cursor'] = cursorAfter(selection, page.next, page.again);
    if (paging === 'link') headers['link'] = links(request, page, url);
  }
  if (paging === 'page' || paging === 'offset') headers['x-total-count'] = String(page.total);
  if (lines) return { before: Buffer.alloc(0), after: Buffer.alloc(0), headers };
  const path = records === '' ? [] : records.split('.');
  const opened = path.map((name, i) => `${i === 0 ? '' : '{'}${JSON.stringify(name)}:`).join('');
  const closed = '}'.repeat(Math.max(0, path.length - 1));
  const more = Object.entries(facts).map(
    ([name, value]) => `,${JSON.stringify(name)}:${JSON.stringify(value)}`,
  );
  return {
    before: Buffer.from(path.length === 0 ? '[' : `{${opened}[`),
    after: Buffer.from(path.length === 0 ? ']' : `]${closed}${more.join('')}}`),
    headers,
  };
}

function bodyFacts(
  { paging, start, size }: PageRequest,
  page: Page,
  { url, selection }: { url: URL; selection: Selection },
): Record<string, unknown> {
  switch (paging) {
    case 'page':
      return {
        page: Math.floor(start / size) + 1,
        per_page: size,
        pages: Math.ceil(page.total / size),
        total: page.total,
      };
    case 'offset':
      return { offset: start, limit: size, total: page.total };
    case 'cursor':
      return {
        next_cursor: page.next === undefined ? null : cursorAfter(selection, page.next, page.again),
        has_more: page.next !== undefined,
      };
    case 'next':
      return { next: page.next === undefined ? null : at(url, { offset: page.next }, page.again) };
    case 'header':
    case 'link':
    case 'none':
      return {};
  }
}

/** RFC 8288. */
function links({ size }: PageRequest, { next, again, total }: Page, url: URL): string {
  const page = (number: number, mark: boolean): string => at(url, { page: number }, mark);
  const of = [`<${page(Math.floor(next! / size) + 1, again)}>; rel="next"`];
  of.unshift(`<${page(1, false)}>; rel="first"`);
  of.push(`<${page(Math.ceil(total / size), false)}>; rel="last"`);
  return of.join(', ');
}

function at(url: URL, query: Record<string, number>, again: boolean): string {
  const next = new URL(url);
  next.searchParams.delete('again');
  for (const [name, value] of Object.entries(query)) next.searchParams.set(name, String(value));
  if (again) next.searchParams.set('again', '1');
  return next.href;
}
