// Sluice inside a program of your own: node run.ts
import { ConfigError, defineProject, env, lake, openCatalog, plan, postgres, run } from 'sluice';

const project = defineProject({
  connections: {
    shop: postgres({ url: env('SHOP_URL') }),
    lake: lake({ path: './lake' }),
  },
  pipelines: {
    shop_to_lake: {
      from: 'shop',
      to: 'lake',
      defaults: { load: 'merge', cursor: 'updated_at' },
      streams: { 'public.customers': true, 'public.orders': true },
    },
  },
});

/** Ctrl-C stops at a clean point: what is committed stays, nothing half-done is visible. */
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

try {
  const { streams } = await plan(project, 'shop_to_lake', { signal: stop.signal });
  for (const { stream, window, slices } of streams) {
    console.log(`${stream.name}: ${window}, ${slices.length} slices`);
  }

  const report = await run(project, 'shop_to_lake', {
    signal: stop.signal,
    onEvent: (event) => {
      if (event.kind === 'slice-committed') console.log(`${event.stream}: ${event.loaded} rows committed`);
    },
  });
  console.log(`${report.status} in ${report.seconds.toFixed(1)} s`);
  if (report.status !== 'succeeded') process.exitCode = 1;

  const catalog = await openCatalog('./lake');
  const { batches } = await catalog.select(
    'select status, count(*) as n from orders group by status order by n desc',
  );
  for await (const rows of batches) for (const [status, n] of rows) console.log(status, n);
  await catalog.close();
} catch (error) {
  // All mistakes of the project at once, with their places.
  if (!(error instanceof ConfigError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
}
