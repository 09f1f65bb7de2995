/** The shapes of `checks` and `compute` of a stream. */
import { z } from 'zod';
import { name, text } from './fields.ts';

type Expressions = z.ZodOptional<z.ZodRecord<z.ZodString, z.ZodString>>;

const computed = text.refine(
  (written) => !/^_sluice_/i.test(written),
  'names that begin with _sluice_ are those of columns that sluice adds',
);

export const rules: { checks: Expressions; compute: Expressions } = {
  checks: z
    .record(name, text)
    .optional()
    .describe(
      "Name: condition that rows have to meet before they are loaded, in DuckDB's SQL over the columns of the table. A row that does not goes to quarantine, with the name as its reason; NULL is none.",
    )
    .meta({ examples: [{ amount_positive: 'amount > 0' }] }),
  compute: z
    .record(computed, text)
    .optional()
    .describe(
      "Column: its value, as an expression of DuckDB's SQL over the columns of the table. A name that the source has as well gets the new value.",
    )
    .meta({ examples: [{ full_name: "first || ' ' || last" }] }),
};
