/** Values that several shapes of a project have. */
import { z } from 'zod';
import { nearest } from './suggest.ts';

export const text: z.ZodString = z.string().trim().min(1);

/** Names are typed in commands and used in run ids. */
export const name: z.ZodString = z
  .string()
  .regex(/^[A-Za-z_][\w-]*$/, 'a name is made of letters, digits, "_" and "-" and starts with a letter');

export const timezone: z.ZodString = text.superRefine((name, context) => {
  if (!isTimezone(name)) context.addIssue(`"${name}" is no timezone; ${zoneHint(name)}`);
});

export const asciiCharacter: z.ZodString = z
  .string()
  .refine((written) => /^[\t\x20-\x7e]$/.test(written), 'must be one ASCII character');

/** Names only: the sign of an offset means the opposite in some systems. */
function isTimezone(name: string): boolean {
  if (name === 'UTC') return true;
  if (/^[+-]?\d/.test(name)) return false;
  // The list lacks older names (US/Pacific), but making a format takes ten times as long.
  if (Intl.supportedValuesOf('timeZone').includes(name)) return true;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function zoneHint(name: string): string {
  const meant = nearest(name, ['UTC', ...Intl.supportedValuesOf('timeZone')]);
  return meant === undefined ? 'write a name such as UTC or Europe/Berlin' : `did you mean "${meant}"?`;
}
