import type { KnipConfig } from 'knip';

const config: KnipConfig = {
  // package.json points to dist; these are the sources behind it, and what is started by path.
  entry: [
    'src/index.ts',
    'src/testing/index.ts',
    'src/cli/main.ts',
    'src/connectors/*/{worker,transcode-worker}.ts',
    'src/connectors/*/{copy,row,parquet}-decoder.ts',
    'src/connectors/shared/lane/worker.ts',
    'src/connectors/shared/look/sniff-worker.ts',
    'src/rules/rules-worker.ts',
    'src/connectors/shared/text/text-decoder.ts',
    'src/connectors/*/{copy,load}-encoder.ts',
    'bench/{run,duckdb-load}.ts',
    'guarantees/{run,child-run,tap}.ts',
    'scripts/*.mjs',
    'test/support/die-at.ts',
  ],
  project: ['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts', 'guarantees/**/*.ts', 'scripts/**/*.{ts,mjs}'],
  // Programs of the machine that some tests use, and do without.
  ignoreBinaries: ['mariadb', 'mariadb-install-db', 'mariadbd', 'openssl', 'pgbouncer', 'promtool', 'strace'],
  // Started by scripts/ensure.mjs, which knip does not read as a list of commands.
  ignoreDependencies: [
    // Started as a program by a test.
    'json-server',
    'oxfmt',
    'oxlint',
    'oxlint-tsgolint',
  ],
};

export default config;
