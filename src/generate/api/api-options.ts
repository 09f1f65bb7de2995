import type { IncomingHttpHeaders } from 'node:http';
import type { FaultOptions } from '../faults.ts';
import type { Hostility } from './hostility.ts';

/** How pages are asked for, and how one names the next. */
export type Paging =
  /** `page` from 1 on, `per_page`; the body says how many there are. */
  | 'page'
  /** `offset`, `limit`; the body says how many records there are. */
  | 'offset'
  /** `cursor`, `limit`; the body has the next cursor. */
  | 'cursor'
  /** The same, with the next cursor in the header `X-Next-Cursor`. */
  | 'header'
  /** The next page is a URL in the header `Link`. */
  | 'link'
  /** The next page is a URL in the body. */
  | 'next'
  /** All records in one answer. */
  | 'none';

export const PAGINGS: readonly Paging[] = ['page', 'offset', 'cursor', 'header', 'link', 'next', 'none'];

export type ApiAuth =
  | { readonly kind: 'bearer'; readonly token: string }
  | { readonly kind: 'basic'; readonly user: string; readonly password: string }
  /** In a header (`X-Api-Key` when neither is said), or in the query. */
  | {
      readonly kind: 'api-key';
      readonly key: string;
      readonly header?: string | undefined;
      readonly query?: string | undefined;
    }
  /** Client credentials for `POST /oauth/token`. */
  | {
      readonly kind: 'oauth2';
      readonly client: string;
      readonly secret: string;
      /** 3,600 when absent. */
      readonly expiresSeconds?: number | undefined;
      /** Requests after which a token is refused although its time is not over. */
      readonly tokenRequests?: number | undefined;
    };

export interface ApiOptions {
  /** A free one when absent. */
  readonly port?: number | undefined;
  /** Of requests that do not say it: `page` when absent. */
  readonly paging?: Paging | undefined;
  /** Records of a page: 100 when absent, and at most 10,000. */
  readonly pageSize?: number | undefined;
  readonly largestPage?: number | undefined;
  /** Where the records are in a body, `data` when absent: `result.items`; '' is a body that is an array. */
  readonly records?: string | undefined;
  /** The day whose end is served; the first when absent. */
  readonly day?: number | undefined;
  readonly auth?: ApiAuth | undefined;
  readonly faults?: FaultOptions | undefined;
  /** Bodies are packed for those who take it. True when absent. */
  readonly gzip?: boolean | undefined;
  /** What goes wrong, by kind of record; `*` stands for all. Requests can ask for more with `hostile=`. */
  readonly hostile?: Readonly<Record<string, readonly (Hostility | string)[]>> | undefined;
  /** Whether requests may ask for trouble themselves. True when absent. */
  readonly hostileByQuery?: boolean | undefined;
  /** Bytes of pages that are kept; 64 MiB when absent. */
  readonly cacheBytes?: number | undefined;
}

/** One request that was answered, or not. */
export interface ApiRequest {
  readonly at: number;
  readonly method: string;
  /** With the query. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** 0: no answer was begun. */
  status: number;
  /** What went wrong on purpose. */
  hostile: string | undefined;
  /** Records in the answer. */
  records: number;
}

export interface ApiServer {
  /** `http://127.0.0.1:port`, without a slash at its end. */
  readonly url: string;
  readonly port: number;
  /** The last 100,000, oldest first. */
  readonly requests: readonly ApiRequest[];
  /** The day whose end is served. */
  day: number;
  /** What goes wrong from now on. */
  hostile: NonNullable<ApiOptions['hostile']>;
  close(): Promise<void>;
}
