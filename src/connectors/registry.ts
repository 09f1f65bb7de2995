import type { Connector } from '../core/connector.ts';

/** Every connector that there is, by name. Connectors load their drivers only when they are opened. */
export async function connectors(): Promise<ReadonlyMap<string, Connector>> {
  // A path that ends like a dump is one, or like a file of DuckDB; any other is a lake.
  const modules = await Promise.all([
    import('./postgres/index.ts').then((module) => module.postgresConnector),
    import('./mysql/index.ts').then((module) => module.mysqlConnector),
    import('./dump/index.ts').then((module) => module.dumpConnector),
    import('./files/index.ts').then((module) => module.filesConnector),
    import('./duckdb/index.ts').then((module) => module.duckdbConnector),
    import('./rest/index.ts').then((module) => module.restConnector),
    import('./singer/index.ts').then((module) => module.singerConnector),
    import('./singer/index.ts').then((module) => module.messagesConnector()),
    import('./custom/index.ts').then((module) => module.customConnector),
    import('./lake/index.ts').then((module) => module.lakeConnector),
  ]);
  const all = modules as unknown as Connector[];
  return new Map(all.map((connector) => [connector.name, connector]));
}
