/** The shapes of `alerts` and `metrics` in a project file. */
import { z } from 'zod';
import type { AlertThresholds, ProjectAlerts } from '../core/alerts.ts';
import type { MetricsConfig } from '../core/project.ts';
import { inSchema, parseDuration, parsePercent } from '../core/units.ts';

const off = z.literal(false);
const duration = z
  .union([z.string(), z.number()])
  .transform(inSchema(parseDuration))
  .refine((seconds) => seconds > 0, 'must be more than nothing');
const percent = z.union([z.string(), z.number()]).transform(inSchema(parsePercent));
const rate = z.number().positive();

/** Each level says its own; `false` takes away what a level above has set. */
const thresholds = {
  error_rate: z
    .union([off, percent])
    .optional()
    .describe('More rows of a stream in quarantine than this part of those that were read: "1 %".'),
  duration: z
    .union([off, duration])
    .optional()
    .describe('Longer than this: the run, or the stream that it is set for.'),
  min_rows_per_second: z
    .union([off, rate])
    .optional()
    .describe(
      'Fewer rows read per second than this, by the run or by the stream that it is set for, when that took 10 seconds or more.',
    ),
  staleness: z
    .union([off, duration])
    .optional()
    .describe('The last load of a stream without an error is longer ago than this.'),
  failed: z.boolean().optional().describe('A stream has failed, or the run could not begin.'),
};

/** No `format`, which editors would hold a placeholder against. */
const address = z.string().superRefine((written, context) => {
  const url = URL.parse(written);
  if (!url || !/^https?:$/.test(url.protocol))
    context.addIssue('must be a URL that begins with http:// or https://');
  else if (url.username !== '') context.addIssue('must be without a user; put credentials into headers');
});

const webhook = z.strictObject({
  url: address.describe('Where alerts are posted to as JSON.'),
  headers: z
    .record(z.string(), z.string())
    .optional()
    .describe('Headers of the request: `Authorization: "Bearer ${ALERT_TOKEN}"`.'),
  timeout: duration.default(10).describe('For one attempt; 10 seconds when absent.'),
  retries: z
    .int()
    .min(0)
    .max(10)
    .default(2)
    .describe('Attempts after the first one that failed; 2 when absent.'),
});

export const alertThresholds: z.ZodType<AlertThresholds> = z.strictObject(thresholds);

export const projectAlerts: z.ZodType<ProjectAlerts> = z.strictObject({
  ...thresholds,
  webhook: z
    .union([address.transform((url) => ({ url, timeout: 10, retries: 2 })), webhook])
    .optional()
    .meta({ secret: true })
    .describe('A URL, or more about it. It often is a secret: write `"${ALERT_URL}"`.'),
});

export const metrics: z.ZodType<MetricsConfig> = z.strictObject({
  prometheus: z
    .string()
    .trim()
    .min(1)
    .refine((path) => path.endsWith('.prom'), 'the textfile collector reads files that end with .prom')
    .optional()
    .describe(
      'Text file that each run writes for the textfile collector of a node exporter, relative to the project.',
    ),
});
