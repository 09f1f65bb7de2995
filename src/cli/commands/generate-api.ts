import { parseSize } from '../../core/units.ts';
import type { ApiAuth, ApiOptions, Paging } from '../../generate/api/api-options.ts';
import { PAGINGS } from '../../generate/api/api-options.ts';
import { parseHostility } from '../../generate/api/hostility.ts';
import type { Flags } from '../arguments.ts';
import type { Command } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { readFaults, readModelOptions, readWhole, usageError } from '../generate-options.ts';
import { printJson } from '../output.ts';
import { readCount } from '../run-options.ts';

/** `sluice generate api`: until it is stopped. */
export const serveApi: Command = async ({ flags, services, terminal, json, signal }) => {
  const model = readModelOptions(flags);
  const api = await services.serveApi(model, readApiOptions(flags));
  try {
    if (json) printJson(terminal, { kind: 'api', url: api.url, port: api.port });
    else {
      terminal.print(`The API is at ${api.url}, until Ctrl-C. It says itself what it has:`);
      terminal.print(`  curl ${api.url}`);
    }
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    await api.close();
  }
  return EXIT.ok;
};

function readApiOptions(flags: Flags): ApiOptions {
  const paging = flags.text('paging');
  if (paging !== undefined && !PAGINGS.includes(paging as Paging))
    throw usageError(`--paging: "${paging}" is none of ${PAGINGS.join(', ')}`);
  const cache = flags.text('cache');
  const hostile: Record<string, string[]> = {};
  for (const text of flags.list('hostile')) {
    const [, records = '*', trouble = ''] = /^(?:([a-z_]+)=)?(.*)$/.exec(text) ?? [];
    parseHostility(trouble);
    (hostile[records] ??= []).push(trouble);
  }
  return {
    port: readWhole(flags, 'port'),
    paging: paging as Paging | undefined,
    pageSize: readCount(flags, 'page-size'),
    day: readWhole(flags, 'day'),
    cacheBytes: cache === undefined ? undefined : parseSize(cache),
    auth: readAuth(flags),
    faults: readFaults(flags),
    hostile,
  };
}

function readAuth(flags: Flags): ApiAuth | undefined {
  const pair = (name: string): [string, string] | undefined => {
    const text = flags.text(name);
    if (text === undefined) return undefined;
    const colon = text.indexOf(':');
    if (colon < 1) throw usageError(`--${name}: a name and a secret with a colon between them`);
    return [text.slice(0, colon), text.slice(colon + 1)];
  };
  const [token, key] = [flags.text('bearer'), flags.text('api-key')];
  const [basic, oauth] = [pair('basic'), pair('oauth')];
  const ways: ApiAuth[] = [];
  if (token !== undefined) ways.push({ kind: 'bearer', token });
  if (key !== undefined) ways.push({ kind: 'api-key', key });
  if (basic) ways.push({ kind: 'basic', user: basic[0], password: basic[1] });
  if (oauth) ways.push({ kind: 'oauth2', client: oauth[0], secret: oauth[1] });
  if (ways.length > 1) throw usageError('--bearer, --basic, --api-key and --oauth exclude each other');
  return ways[0];
}
