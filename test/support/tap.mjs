/**
 * A tap that does what its configuration says: `--config` has `say`, a list of messages and of things that happen, or `streams`
 * with rows that it brings from its bookmark on. What it was started with is added to the file `seen`.
 */
import { appendFileSync, readFileSync, writeSync } from 'node:fs';

const args = process.argv.slice(2);
const fileOf = (option) => {
  const at = args.indexOf(option);
  return at < 0 ? undefined : readFileSync(args[at + 1], 'utf8');
};
const config = JSON.parse(fileOf('--config'));
const given = {
  args: args.filter((arg) => arg.startsWith('--')),
  state: fileOf('--state'),
  catalog: JSON.parse(fileOf('--catalog') ?? fileOf('--properties') ?? 'null'),
  pid: process.pid,
};

function write(text) {
  for (let rest = Buffer.from(text); rest.length > 0;) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if (error.code === 'EPIPE') process.exit(141);
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}
const say = (message) => write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);

if (args.includes('--discover')) {
  say(
    config.catalog ?? {
      streams: Object.entries(config.streams ?? {}).map(([name, { schema, key }]) => ({
        tap_stream_id: name,
        stream: name,
        schema,
        key_properties: key,
        metadata: [],
      })),
    },
  );
  process.exit(0);
}
if (config.seen) appendFileSync(config.seen, `${JSON.stringify(given)}\n`);

async function happen(step) {
  if (typeof step !== 'object' || !('do' in step)) return say(step);
  if (step.do === 'exit') process.exit(step.code);
  if (step.do === 'kill') process.kill(process.pid, 'SIGKILL');
  if (step.do === 'stderr') return process.stderr.write(`${step.text}\n`);
  if (step.do === 'write') return write(step.text);
  if (step.do === 'rows') {
    for (let id = step.from; id <= step.to; id++) {
      say({ type: 'RECORD', stream: 't', record: { id, filler: 'x'.repeat(step.bytes) } });
      if (id % step.every === 0) say({ type: 'STATE', value: id });
    }
    return;
  }
  if (step.do === 'wait') return new Promise((resolve) => setTimeout(resolve, step.ms));
  throw new Error(`what is ${step.do}?`);
}

for (const step of config.say ?? []) await happen(step);

const state = JSON.parse(given.state ?? '{}');
const wanted = given.catalog?.streams.filter(({ selected }) => selected).map(({ stream }) => stream);
for (const [stream, { schema, key, bookmark, rows, every = 100, dies }] of Object.entries(
  config.streams ?? {},
)) {
  if (wanted && !wanted.includes(stream)) continue;
  say({
    type: 'SCHEMA',
    stream,
    schema,
    key_properties: key,
    bookmark_properties: bookmark ? [bookmark] : [],
  });
  const from = state.bookmarks?.[stream];
  const fresh = rows.filter((row) => bookmark === undefined || from === undefined || row[bookmark] >= from);
  for (const [i, record] of fresh.entries()) {
    if (i === dies) process.exit(1);
    say({ type: 'RECORD', stream, record, time_extracted: '2026-01-01T00:00:00.000000Z' });
    if (bookmark === undefined || ((i + 1) % every !== 0 && i + 1 < fresh.length)) continue;
    state.bookmarks = { ...state.bookmarks, [stream]: record[bookmark] };
    say({ type: 'STATE', value: state });
  }
}
