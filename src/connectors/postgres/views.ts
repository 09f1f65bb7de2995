/**
 * Views on tables that change places. A view looks at a table, whatever its name is: it is dropped, and made again where another
 * table has the name. What cannot be made again exactly as it was is left alone.
 */
import { ConfigError, TransientError } from '../../core/errors.ts';
import { quoteName, quoteText } from '../shared/quote.ts';
import type { DetachedViews, SqlSession } from '../shared/sql/system.ts';

/** Whatever looks at the tables `$1`, also through others: the nearest ones have the least depth. */
const VIEWS = `
WITH RECURSIVE looking AS (
  SELECT r.ev_class AS oid, 1 AS depth FROM unnest($1::text[]) t
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = to_regclass(t)
    JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid AND r.ev_class <> d.refobjid
  UNION
  SELECT r.ev_class, l.depth + 1 FROM looking l
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = l.oid
    JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid AND r.ev_class <> d.refobjid
), views AS (
  SELECT l.oid, l.depth, c.relname, c.relnamespace, c.relkind, c.relpersistence, c.relowner, c.reltype,
         (SELECT t.typarray FROM pg_type t WHERE t.oid = c.reltype) AS listtype
    FROM (SELECT oid, max(depth) AS depth FROM looking GROUP BY oid) l JOIN pg_class c ON c.oid = l.oid
)`;

const NAMES = `${VIEWS}
SELECT n.nspname AS schema, v.relname AS name, pg_get_userbyid(v.relowner) AS owner
  FROM views v JOIN pg_namespace n ON n.oid = v.relnamespace ORDER BY v.depth, v.oid`;

/**
 * What is no plain view of ours, and what hangs on one beside other views: rules, triggers, policies, functions and columns of its
 * row type, an extension.
 */
const HELD = `${VIEWS}
SELECT string_agg(DISTINCT h.what, ', ') AS held FROM (
  SELECT pg_describe_object('pg_class'::regclass, v.oid, 0) AS what FROM views v
   WHERE v.relkind <> 'v' OR v.relpersistence <> 'p' OR NOT pg_has_role(v.relowner, 'MEMBER')
      OR EXISTS (SELECT 1 FROM pg_seclabel s WHERE s.classoid = 'pg_class'::regclass AND s.objoid = v.oid)
      OR EXISTS (SELECT 1 FROM pg_depend e WHERE e.classid = 'pg_class'::regclass AND e.objid = v.oid AND e.deptype IN ('e', 'x'))
  UNION ALL
  SELECT pg_describe_object(d.classid, d.objid, d.objsubid) FROM views v JOIN pg_depend d
      ON (d.refclassid = 'pg_class'::regclass AND d.refobjid = v.oid)
      OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (v.reltype, v.listtype))
   WHERE NOT CASE d.classid
       WHEN 'pg_rewrite'::regclass THEN d.objid IN (SELECT r.oid FROM pg_rewrite r JOIN views w ON w.oid = r.ev_class WHERE r.rulename = '_RETURN')
       WHEN 'pg_attrdef'::regclass THEN d.objid IN (SELECT a.oid FROM pg_attrdef a WHERE a.adrelid = v.oid)
       WHEN 'pg_type'::regclass THEN d.objid IN (v.reltype, v.listtype)
       WHEN 'pg_class'::regclass THEN d.objid IN (SELECT w.oid FROM views w)
       ELSE false END) h`;

/** `kept` is all that a view has beside its query, the same text for the same. */
const FACTS = `
SELECT pg_get_viewdef(c.oid) AS query, json_build_object(
    'owner', pg_get_userbyid(c.relowner),
    'options', c.reloptions,
    'comment', obj_description(c.oid, 'pg_class'),
    'columns', (SELECT json_agg(json_build_object('name', a.attname, 'default', pg_get_expr(d.adbin, d.adrelid),
                    'comment', col_description(c.oid, a.attnum)) ORDER BY a.attnum)
                  FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                 WHERE a.attrelid = c.oid AND a.attnum > 0),
    'grants', (SELECT json_agg(json_build_object('privilege', g.privilege_type, 'column', g.attname, 'grantable', g.is_grantable,
                    'by', pg_get_userbyid(g.grantor), 'to', CASE g.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(g.grantee) END)
                    ORDER BY g.attname, g.grantee, g.privilege_type, g.grantor)
                 FROM (SELECT NULL AS attname, x.* FROM aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x
                       UNION ALL SELECT a.attname, x.* FROM pg_attribute a, aclexplode(a.attacl) x WHERE a.attrelid = c.oid AND a.attnum > 0) g)
  )::text AS kept
  FROM pg_class c WHERE c.oid = to_regclass($1)`;

interface Kept {
  owner: string;
  /** `security_barrier=true`. */
  options: string[] | null;
  comment: string | null;
  columns: { name: string; default: string | null; comment: string | null }[];
  /** `to` null: everybody. */
  grants: { privilege: string; column: string | null; grantable: boolean; by: string; to: string | null }[];
}

interface View {
  /** Quoted. */
  name: string;
  query: string;
  kept: string;
}

/** See {@link SqlSides.detachViews}; `tables` are quoted. In a transaction with our settings. */
export async function detachViews(session: SqlSession, tables: readonly string[]): Promise<DetachedViews> {
  const doing = 'looking at views on tables';
  const held = (await session.query(HELD, doing, [tables])).rows[0]?.['held'];
  if (typeof held === 'string') return { held };
  const found = (await session.query(NAMES, doing, [tables])).rows.map((row) => ({
    name: `${quoteName(String(row['schema']))}.${quoteName(String(row['name']))}`,
    owner: quoteName(String(row['owner'])),
  }));
  // Locks it and nothing else, in the order of those who read it: then it is what it will be when it is dropped.
  for (const { name, owner } of found.toReversed())
    await session.query(`ALTER VIEW ${name} OWNER TO ${owner}`, `taking view ${name} away`);
  const views: View[] = [];
  for (const { name } of found) views.push({ name, ...(await factsOf(session, name)) });
  const list = views.map(({ name }) => name).join(', ');
  if (views.length > 0) await session.query(`DROP VIEW ${list}`, `taking views ${list} away`);
  return {
    attach: async () => {
      for (const view of views) await attachView(session, view);
    },
  };
}

async function factsOf(session: SqlSession, name: string): Promise<Omit<View, 'name'>> {
  const { rows } = await session.query(FACTS, `looking at view ${name}`, [name]);
  return { query: String(rows[0]!['query']), kept: String(rows[0]!['kept']) };
}

async function attachView(session: SqlSession, view: View): Promise<void> {
  const { name } = view;
  const doing = `making view ${name} again`;
  try {
    const wanted = JSON.parse(view.kept) as Kept;
    for (const sql of statementsOf(view, wanted)) await session.query(sql, doing);
    // Default privileges may have given it to others.
    const { grants } = JSON.parse((await factsOf(session, name)).kept) as Kept;
    for (const { to } of grants)
      if (to !== wanted.owner) await session.query(`REVOKE ALL ON ${name} FROM ${roleOf(to)}`, doing);
    for (const sql of grantsOf(name, wanted)) await session.query(sql, doing);
  } catch (error) {
    if (error instanceof TransientError) throw error;
    throw refused(doing, (error as Error).message, error);
  }
  if ((await factsOf(session, name)).kept !== view.kept)
    throw refused(doing, 'it would not have all that it has now');
}

function refused(doing: string, found: string, cause?: unknown): ConfigError {
  return new ConfigError(`${doing} on the tables that are promoted: ${found}`, {
    code: 'shadow.held',
    remedy: 'drop it and make it again after the promotion',
    cause,
  });
}

function statementsOf({ name, query }: View, { owner, options, comment, columns }: Kept): string[] {
  const list = columns.map((column) => quoteName(column.name)).join(', ');
  const settings = (options ?? []).map((option) => {
    const at = option.indexOf('=');
    return `${quoteName(option.slice(0, at))} = ${quoteText(option.slice(at + 1))}`;
  });
  const how = settings.length > 0 ? ` WITH (${settings.join(', ')})` : '';
  return [
    `CREATE VIEW ${name} (${list})${how} AS ${query}`,
    `ALTER VIEW ${name} OWNER TO ${quoteName(owner)}`,
    ...(comment === null ? [] : [`COMMENT ON VIEW ${name} IS ${quoteText(comment)}`]),
    ...columns.flatMap((column) => [
      ...(column.default === null
        ? []
        : [`ALTER VIEW ${name} ALTER COLUMN ${quoteName(column.name)} SET DEFAULT ${column.default}`]),
      ...(column.comment === null
        ? []
        : [`COMMENT ON COLUMN ${name}.${quoteName(column.name)} IS ${quoteText(column.comment)}`]),
    ]),
  ];
}

function grantsOf(name: string, { owner, grants }: Kept): string[] {
  return grants
    .filter(({ to }) => to !== owner)
    .map(({ privilege, column, grantable, to }) => {
      const what = column === null ? privilege : `${privilege} (${quoteName(column)})`;
      return `GRANT ${what} ON ${name} TO ${roleOf(to)}${grantable ? ' WITH GRANT OPTION' : ''}`;
    });
}

function roleOf(name: string | null): string {
  return name === null ? 'PUBLIC' : quoteName(name);
}
