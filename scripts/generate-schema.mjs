// Writes schema.json, which editors read for sluice.yaml. With --check it only says whether the file is up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { projectJsonSchema } from '../src/config/json-schema.ts';
import { dumpOptions } from '../src/connectors/dump/options.ts';
import { filesOptions } from '../src/connectors/files/options.ts';
import { duckdbOptions } from '../src/connectors/duckdb/options.ts';
import { lakeOptions } from '../src/connectors/lake/options.ts';
import { mysqlOptions } from '../src/connectors/mysql/options.ts';
import { postgresOptions } from '../src/connectors/postgres/options.ts';
import { restOptions } from '../src/connectors/rest/options.ts';
import { messagesOptions, singerOptions } from '../src/connectors/singer/options.ts';

const target = new URL('../schema.json', import.meta.url);
const schema = projectJsonSchema([
  {
    name: 'dump',
    title: 'SQL dump',
    summary: 'A dump of PostgreSQL, MySQL or MariaDB',
    options: dumpOptions,
  },
  { name: 'files', title: 'Files', summary: 'Files in a folder, each loaded once', options: filesOptions },
  { name: 'duckdb', title: 'DuckDB', summary: 'A DuckDB database file', options: duckdbOptions },
  { name: 'lake', title: 'Lake', summary: 'Parquet files in a folder, with commits', options: lakeOptions },
  { name: 'mysql', title: 'MySQL', summary: 'A MySQL or MariaDB server', options: mysqlOptions },
  { name: 'postgres', title: 'PostgreSQL', summary: 'A PostgreSQL database', options: postgresOptions },
  { name: 'rest', title: 'REST API', summary: 'A REST API', options: restOptions },
  { name: 'singer', title: 'Singer tap', summary: 'Any Singer tap', options: singerOptions },
  {
    name: 'singer-messages',
    title: 'Singer messages',
    summary: 'What singer-target takes from standard input',
    options: messagesOptions,
  },
]);
const text = `${JSON.stringify(schema, undefined, 2)}\n`;

if (process.argv.includes('--check')) {
  if (text !== readFileSync(target, 'utf8')) {
    console.error('sluice: schema.json is out of date; run: node scripts/generate-schema.mjs');
    process.exitCode = 1;
  }
} else {
  writeFileSync(target, text);
}
