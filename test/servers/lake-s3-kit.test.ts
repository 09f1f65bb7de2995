import { testDestination } from '../../src/testing/destination-conformance.ts';
import { lakeSuite } from '../support/lake-suite.ts';
import { motoPresent, useMoto } from '../support/moto.ts';

const moto = useMoto();
let lakes = 0;

if (motoPresent)
  testDestination(
    lakeSuite('lake on S3', () => ({ path: `s3://lake/kit/${lakes++}`, endpoint: moto().endpoint })),
  );
