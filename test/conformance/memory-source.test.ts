import { testSource } from '../../src/testing/source-conformance.ts';
import { openMemorySuite } from '../../src/testing/memory-suite.ts';

testSource({ name: 'memory', open: () => openMemorySuite() });
