/** Rows that appear later than they were written: on replicas, and in clusters where others write as well. */
import type { Client } from './client.ts';
import { errorNumber } from './errors.ts';

export interface Replication {
  late: boolean;
  blind: string | undefined;
}

const SYNTAX = 1064;

/** `replicating`: the list of connections shows threads of a replica; `visible`: it shows those of others at all. */
export async function replicationOf(
  client: Client,
  replicating: boolean,
  visible: boolean,
): Promise<Replication> {
  if (replicating || (await hasReplicaStatus(client)))
    return {
      late: true,
      blind: 'this is a replica: transactions that are open on its primary cannot be seen',
    };
  const rows = await client.query<{ Variable_name: string; Value: string }>(
    `SHOW GLOBAL VARIABLES WHERE Variable_name IN ('wsrep_on', 'group_replication_group_name', 'read_only')`,
  );
  const value = (name: string): string => rows.find((row) => row.Variable_name === name)?.Value ?? '';
  if (value('wsrep_on') === 'ON' || value('group_replication_group_name') !== '')
    return {
      late: true,
      blind: 'this server is one of a cluster: transactions on the others cannot be seen',
    };
  if (/^(ON|1)$/.test(value('read_only')))
    return { late: true, blind: 'this server is read-only, like a replica: rows may come late' };
  // Who is shown nothing cannot tell a replica from a primary, and is careful.
  return { late: !visible, blind: undefined };
}

/** The statement has had several names; accounts without the right see nothing. */
async function hasReplicaStatus(client: Client): Promise<boolean> {
  const statements = client.mariadb
    ? ['SHOW ALL SLAVES STATUS']
    : ['SHOW REPLICA STATUS', 'SHOW SLAVE STATUS'];
  for (const statement of statements) {
    try {
      return (await client.query(statement)).length > 0;
    } catch (error) {
      if (errorNumber(error) !== SYNTAX) return false;
    }
  }
  return false;
}
