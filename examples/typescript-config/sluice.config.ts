// The same kind of project as a sluice.yaml, for those who want types and a little logic. `sluice plan` and
// `sluice run` find it by its name.
import { defineProject, env, lake, postgres } from 'sluice';

/** Tables that are alike are written once. */
const merged = ['customers', 'orders', 'order_items'].map((table) => [
  `public.${table}`,
  { load: 'merge', cursor: 'updated_at' } as const,
]);

export default defineProject({
  connections: {
    shop: postgres({ url: env('SHOP_URL'), application_name: 'nightly load' }),
    lake: lake({ path: './lake', compression: 'zstd' }),
  },
  pipelines: {
    shop_to_lake: {
      from: 'shop',
      to: 'lake',
      streams: {
        'public.countries': { load: 'replace' },
        ...Object.fromEntries(merged),
      },
    },
  },
  memory: '512 MiB',
});
