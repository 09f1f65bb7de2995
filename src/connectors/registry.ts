import type { Connector } from '../core/connector.ts';

/** Every connector that there is, by name. Connectors load their drivers only when they are opened. */
export async function connectors(): Promise<ReadonlyMap<string, Connector>> {
  const [{ postgresConnector }, { lakeConnector }] = await Promise.all([
    import('./postgres/index.ts'),
    import('./lake/index.ts'),
  ]);
  const all = [postgresConnector, lakeConnector] as unknown as Connector[];
  return new Map(all.map((connector) => [connector.name, connector]));
}
