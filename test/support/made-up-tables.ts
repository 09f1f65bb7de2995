/** The commands that make tables, as a program calls them. */
import { openSqlSystem } from '../../src/connectors/sql-systems.ts';
import { connectors } from '../../src/connectors/registry.ts';
import type { SqlSystem } from '../../src/connectors/shared/sql/system.ts';

export async function inDatabase<T>(url: string, work: (system: SqlSystem) => Promise<T>): Promise<T> {
  const known = [...(await connectors()).values()].filter(({ name }) => name !== 'lake');
  for (const connector of known) {
    const given = connector.fromUrl(url, 'destination') as Record<string, unknown> | undefined;
    if (!given) continue;
    const { type: _, ...options } = given;
    const place = { name: 'target', directory: '/', memoryBytes: 512 << 20, workers: 1 };
    const system = await openSqlSystem(connector.name, connector.options.parse(options), place);
    if (!system) continue;
    try {
      return await work(system);
    } finally {
      await system.close();
    }
  }
  throw new Error(`no database at ${url}`);
}
