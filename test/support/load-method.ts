import type { Destination, TableSpec } from '../../src/core/destination.ts';
import type { LoadMethod } from '../../src/core/stream.ts';

/** The destination with all loads going one way. */
export function loadingBy(method: LoadMethod, destination: Destination): Destination {
  const open = destination.openTable.bind(destination);
  destination.openTable = (spec: TableSpec, signal) => open({ ...spec, loadMethod: method }, signal);
  return destination;
}
