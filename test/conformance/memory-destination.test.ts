import { testDestination } from '../../src/testing/destination-conformance.ts';
import { MemoryDestination, MemoryStore } from '../../src/testing/memory-destination.ts';

testDestination({
  name: 'memory',
  open: async () => {
    const store = new MemoryStore();
    return {
      destination: async () => new MemoryDestination(store),
      read: async (table) => store.read(table),
      versions: async (table) => store.versions(table),
      close: async () => {},
    };
  },
});
