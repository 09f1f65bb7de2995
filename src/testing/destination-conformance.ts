import { describe, it } from 'vitest';
import { COLUMN_CHECKS } from './destination-checks-columns.ts';
import { COMMIT_CHECKS } from './destination-checks-commits.ts';
import { GONE_CHECKS } from './destination-checks-gone.ts';
import { ROW_CHECKS } from './destination-checks-rows.ts';
import { VERSION_CHECKS } from './destination-checks-versions.ts';
import type { DestinationCheck, DestinationSuite } from './destination-suite.ts';

/** The contract in parts; exported so that the kit itself can be tested against broken destinations. */
export const DESTINATION_CHECKS: readonly DestinationCheck[] = [
  ...ROW_CHECKS,
  ...COLUMN_CHECKS,
  ...COMMIT_CHECKS,
  ...VERSION_CHECKS,
  ...GONE_CHECKS,
];

/** Registers every check of the destination contract with vitest. */
export function testDestination(suite: DestinationSuite): void {
  const skips = new Map(suite.skips?.map(({ check, reason }) => [check, reason]));
  const unknown = [...skips.keys()].filter(
    (name) => !DESTINATION_CHECKS.some((check) => check.name === name),
  );
  if (unknown.length > 0)
    throw new Error(`testing ${suite.name}: there is no check "${unknown.join('", "')}"`);
  describe(`destination ${suite.name}`, () => {
    for (const check of DESTINATION_CHECKS) {
      const reason = skips.get(check.name);
      if (reason !== undefined) it.skip(`${check.name} (${reason})`);
      else it(check.name, { timeout: 60_000 }, () => runCheck(check, suite));
    }
  });
}

export async function runCheck(
  check: DestinationCheck,
  suite: Pick<DestinationSuite, 'open'>,
): Promise<void> {
  const under = await suite.open();
  try {
    await check.run(under);
  } finally {
    await under.close();
  }
}
