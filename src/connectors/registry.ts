import type { Connector } from '../core/connector.ts';

/** Every connector that there is, by name. Connectors load their drivers only when they are opened. */
export async function connectors(): Promise<ReadonlyMap<string, Connector>> {
  const [{ postgresConnector }, { mysqlConnector }, { lakeConnector }] = await Promise.all([
    import('./postgres/index.ts'),
    import('./mysql/index.ts'),
    import('./lake/index.ts'),
  ]);
  const all = [postgresConnector, mysqlConnector, lakeConnector] as unknown as Connector[];
  return new Map(all.map((connector) => [connector.name, connector]));
}
