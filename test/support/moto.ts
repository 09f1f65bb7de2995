/** One S3 server per test file, where the machine has moto. */
import { afterAll, beforeAll } from 'vitest';
import { MOTO_ENV, motoMissing, type MotoServer, startMoto } from '../../src/testing/moto-server.ts';

/** Tests of a file are skipped without it: `describe.runIf(motoPresent)`. */
export const motoPresent: boolean = motoMissing() === undefined;
if (!motoPresent) console.log(`skipped: ${motoMissing()}`);

/** With a bucket called `lake`. */
export function useMoto(): () => MotoServer {
  let server: MotoServer | undefined;
  beforeAll(async () => {
    Object.assign(process.env, MOTO_ENV);
    if (!motoPresent) return;
    server = await startMoto();
    await server.createBucket('lake');
  });
  afterAll(() => server?.stop());
  return () => server!;
}
