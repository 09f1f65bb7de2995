/** The shape of `deletes` in a project file. */
import { z } from 'zod';
import type { DeletesMode, DeletesOptions } from '../core/project.ts';

const mode = z.enum(['keep', 'flag', 'remove']);

export const deletes: z.ZodType<DeletesMode | DeletesOptions> = z
  .union([
    mode,
    z.strictObject({
      how: mode.describe('As the short form.'),
      at_most: z
        .union([
          z.int().min(0),
          z.string().regex(/^(100|\d{1,2})(\.\d+)?\s*%$/, 'is a number of rows, or a share such as "50 %"'),
        ])
        .optional()
        .describe(
          'Most rows that one run may flag or remove, as a number or a share of those in the table; more are taken for a mistake, and the stream fails. "50 %" when absent.',
        ),
    }),
  ])
  .describe(
    'What happens to rows of the table whose key is gone from the source, with `load: merge`. keep (when absent): they stay; flag: the column _sluice_deleted_at says when they were first missed (with `load: scd2` their versions end); remove: they are taken out. Each run compares the keys of both sides for it.',
  );
