/** A program of its own: `node api-server.ts <records>` serves a made-up API, writes its address, and ends with its standard input. */
import { serveApi } from '../src/generate/api/serve-api.ts';

const [, , records = ''] = process.argv;
const api = await serveApi(
  { model: 'tenants', rows: Number(records) },
  // Pages are made once: who makes them is not measured.
  { gzip: false, cacheBytes: 2 ** 31 },
);
console.log(api.url);
process.stdin.resume();
process.stdin.on('end', () => void api.close());
