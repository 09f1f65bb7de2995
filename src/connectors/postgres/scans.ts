import type pg from 'pg';

export interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  Schema?: string;
  Plans?: PlanNode[];
}

/** What carries out a query: the planner looks through views, partitions and queries. */
export async function scansOf(client: pg.Client, sql: string): Promise<PlanNode[]> {
  const { rows } = await client.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(
    `EXPLAIN (VERBOSE, FORMAT JSON) ${sql}`,
  );
  const nodes = rows[0]!['QUERY PLAN'].map(({ Plan }) => Plan);
  for (const node of nodes) nodes.push(...(node.Plans ?? []));
  return nodes;
}
