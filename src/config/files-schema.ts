/** The shape of `files` in a project file. */
import { z } from 'zod';
import { flatten } from '../core/flatten.ts';
import type { FilesOptions } from '../core/project.ts';
import { asciiCharacter, text } from './fields.ts';

const dateForm = z.enum(
  ['.', '/', '-'].flatMap((between) =>
    ['DD_MM_YYYY', 'MM_DD_YYYY', 'YYYY_MM_DD'].map((form) => form.replaceAll('_', between)),
  ),
);

export const files: z.ZodType<FilesOptions> = z
  .strictObject({
    path: text
      .describe(
        'Which files, below the folder or prefix of the connection: a path with *, **, ?, [a-z] or {a,b}.',
      )
      .meta({ examples: ['tenants_*.csv'] }),
    name: text
      .superRefine((written, context) => {
        try {
          if (!/\(\?<[^=!]/.test(written)) context.addIssue('has no named group: (?<snapshot_date>\\d{8})');
          new RegExp(written);
        } catch (error) {
          context.addIssue((error as Error).message);
        }
      })
      .optional()
      .describe(
        'Regular expression over the paths. What its named groups find becomes columns, and files are loaded in that order. When absent, a date in the names becomes snapshot_date.',
      )
      .meta({ examples: ['_(?<snapshot_date>\\d{8})\\.csv$'] }),
    format: z.enum(['csv', 'json', 'parquet']).optional().describe('By the ending of the names when absent.'),
    compression: z
      .enum(['none', 'gzip', 'zstd', 'bzip2', 'zip'])
      .optional()
      .describe('By the ending of the names when absent.'),
    encoding: text
      .refine((written) => isEncoding(written), 'is no encoding; for example utf-8, windows-1252, utf-16le')
      .optional()
      .describe('How text is encoded; found out from the bytes when absent.'),
    header: z
      .boolean()
      .optional()
      .describe('Whether the first record has the names of the columns; as it looks when absent.'),
    delimiter: asciiCharacter.optional().describe('Between fields; found out when absent.'),
    quote: z
      .union([asciiCharacter, z.literal(false)])
      .optional()
      .describe("Around fields, '\"' when absent; false: there are none."),
    escape: asciiCharacter
      .optional()
      .describe('What makes a quote within quotes a character; a second quote when absent.'),
    null: z
      .union([z.string(), z.array(z.string()).min(1)])
      .optional()
      .describe('Texts without quotes that stand for NULL; the empty one when absent.'),
    decimal: z
      .enum([',', '.'])
      .optional()
      .describe(
        'What is between whole digits and decimals in columns that `types` pins to a number; "." when absent.',
      ),
    thousands: z
      .string()
      .refine((written) => /^[^\d+\-eE]$/u.test(written), 'must be one character that numbers do not have')
      .optional()
      .describe('What may be between groups of three digits in these columns; nothing when absent.'),
    date: dateForm
      .optional()
      .describe(
        'How dates, also those before a time, are written in columns that `types` pins to a date or timestamp; as in ISO 8601 (2026-07-24) when absent.',
      ),
    skip: z.int().min(0).optional().describe('How many lines before the header are no records.'),
    flatten,
    file_column: z
      .union([text, z.literal(false)])
      .optional()
      .describe('Column for the path of the file that a row is from, _sluice_file when absent; false: none.'),
    changed: z
      .enum(['report', 'reload'])
      .optional()
      .describe(
        'What happens to a file that has changed since it was loaded: it is reported (when absent), or its rows are replaced.',
      ),
  })
  .superRefine(({ decimal = '.', thousands }, context) => {
    if (decimal === thousands) context.addIssue(`"${decimal}" cannot be both \`decimal\` and \`thousands\``);
  });

function isEncoding(name: string): boolean {
  try {
    new TextDecoder(name);
    return true;
  } catch {
    return false;
  }
}
