// The same kind of project as a sluice.yaml, for those who want types and a little logic. `sluice plan` and
// `sluice run` find it by its name.
import { defineProject, env, lake, postgres, type StreamDefinition } from 'sluice';

/** Tables that are alike are written once. */
const merged: Record<string, StreamDefinition> = Object.fromEntries(
  ['customers', 'order_items'].map((table) => [`public.${table}`, { load: 'merge', cursor: 'updated_at' }]),
);

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
        ...merged,
        'public.orders': {
          load: 'merge',
          cursor: 'updated_at',
          // An order that does not meet them goes to quarantine; the others are loaded.
          checks: { total_not_negative: 'total >= 0', currency_known: 'length(currency) = 3' },
          compute: {
            month: "date_trunc('month', order_date)::date",
            is_open: "status not in ('delivered', 'cancelled', 'returned')",
          },
        },
      },
    },
  },
  memory: '512 MiB',
});
