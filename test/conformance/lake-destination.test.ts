import { testDestination } from '../../src/testing/destination-conformance.ts';
import { lakeSuite } from '../support/lake-suite.ts';

testDestination(lakeSuite('lake in a local folder', () => ({ path: './lake' })));
