import { z } from 'zod';

/** The option `flatten` of whatever has records of JSON: files, endpoints, sources of one's own. */
export const flatten: z.ZodOptional<z.ZodInt> = z
  .int()
  .min(0)
  .max(10)
  .optional()
  .describe(
    'Of records of JSON: how many levels of objects within objects become columns of their own (`outer_inner`); when absent they stay JSON.',
  );
