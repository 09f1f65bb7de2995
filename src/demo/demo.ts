/**
 * The demo: a shop in a PostgreSQL server of its own, a lake, and a day between them. Nothing in it is pretended: the
 * server is a real one, and what loads is the engine that `sluice run` uses, from a project file like any other.
 */
import { connectors } from '../connectors/registry.ts';
import { type Catalog, openCatalog } from '../catalog/index.ts';
import { loadProject } from '../config/load-project.ts';
import { InternalError, throwIfAborted } from '../core/errors.ts';
import { broadcast } from '../core/events.ts';
import { formatExact, formatSeconds } from '../core/units.ts';
import { untilAborted } from '../core/until-aborted.ts';
import { openStorage, type ProjectContext } from '../engine/context.ts';
import { runPipeline } from '../engine/run.ts';
import type { RunReport } from '../engine/types.ts';
import { createPhases } from '../observe/phases.ts';
import { openProgress } from '../observe/progress.ts';
import { renderSummary } from '../observe/summary.ts';
import type pg from 'pg';
import { liveWithLoads } from './day.ts';
import { LakeWatch, type LoadFacts } from './day-facts.ts';
import {
  DATABASE,
  type DemoPlace,
  isDemo,
  openPlace,
  PIPELINE,
  reopenServer,
  writeProject,
} from './demo-folder.ts';
import {
  changeText,
  comparisonTable,
  DAY_INTRODUCTION,
  dayText,
  differenceLines,
  indent,
  loadLine,
  loadTitles,
  nextSteps,
  programName,
  type Screen,
  sizeText,
  Story,
  tableOfCounts,
} from './demo-text.ts';
import { addColumn, createShop, type DayCounts } from './shop.ts';
import { compareTables, type TableComparison } from './verify.ts';

export interface DemoOptions {
  /** Where to put it; a demo that is there already is opened again. */
  directory: string | undefined;
  /** Rows to begin with, in all and roughly. */
  rows: number | undefined;
  /** Few rows, for a look in passing. */
  quick: boolean;
  /** Leaves the folder behind; so does `directory`. */
  keep: boolean;
  /** The report is all that is printed, as one line of JSON. */
  json: boolean;
  signal: AbortSignal;
  screen: Screen;
}

export interface DemoReport {
  kind: 'demo';
  /** Whether the lake had every row of the database at the end, and no other. */
  equal: boolean;
  seconds: number;
  /** The folder, when it was kept. */
  folder: string | undefined;
  /** Rows that the shop began with. */
  rows: number;
  day: DayCounts;
  loads: LoadFacts[];
  tables: TableComparison[];
}

const DEFAULT_ROWS = 1_000_000;
const QUICK_ROWS = 50_000;
/** A customer for four orders and nearly four items for each. */
const ROWS_PER_ORDER = 5;
const MOST_CHANGES = 5_000;
const LOADS_OF_THE_DAY = 4;
const SHOP_SEED = 1;
const DAY_SEED = 2;
const TABLES = ['countries', 'customers', 'orders', 'order_items'] as const;

/** Tells the whole story. Resolves to undefined when it was a kept demo that was opened again, and is closed now. */
export async function runDemo(options: DemoOptions): Promise<DemoReport | undefined> {
  const { directory, signal } = options;
  throwIfAborted(signal);
  const started = performance.now();
  if (directory !== undefined && isDemo(directory)) {
    await reopenDemo(directory, options);
    return undefined;
  }
  const place = await openPlace(options);
  const demo = new Demo(place, options);
  try {
    const report = await demo.tell(started);
    await demo.close();
    return report;
  } catch (error) {
    await demo.close({ discard: signal.aborted });
    throw error;
  }
}

class Demo {
  readonly #place: DemoPlace;
  readonly #options: DemoOptions;
  readonly #story: Story;
  readonly #signal: AbortSignal;
  readonly #clients: pg.Client[] = [];
  readonly #loads: LoadFacts[] = [];
  #catalog: Catalog | undefined;

  constructor(place: DemoPlace, options: DemoOptions) {
    this.#place = place;
    this.#options = options;
    this.#signal = options.signal;
    this.#story = new Story(options.screen, options.json);
  }

  async tell(started: number): Promise<DemoReport> {
    const story = this.#story;
    story.plain(
      'Sluice copies tables into a lake of files and then keeps the copy up to date, reading only what changed.',
    );
    story.plain('Here it does so on this machine, with a real PostgreSQL server and a shop that is made up.');

    throwIfAborted(this.#signal);
    const url = await this.#place.server.createDatabase(DATABASE);
    const client = await this.#connect(url);
    const rows = await this.#openShop(client);
    const context = await this.#writeProject(url);
    await this.#loadEverything(context);
    const day = await this.#liveADay(context, url, client);
    const tables = await this.#compare(client);
    await this.#askTheLake();

    const { folder, kept } = this.#place;
    const seconds = (performance.now() - started) / 1000;
    const equal = tables.every((table) => table.equal) && this.#loads.every((load) => load.doubled === 0);
    const report: DemoReport = {
      kind: 'demo',
      equal,
      seconds,
      folder: kept ? folder : undefined,
      rows,
      day,
      loads: this.#loads,
      tables,
    };
    this.#sayGoodbye(report);
    return report;
  }

  async close(options?: { discard: boolean }): Promise<void> {
    await this.#catalog?.close();
    await Promise.all(this.#clients.map((client) => client.end().catch(() => undefined)));
    await this.#place.close(options);
  }

  // ---- The chapters

  async #openShop(client: pg.Client): Promise<number> {
    const { rows, quick } = this.#options;
    const orders = Math.max(1, Math.round((rows ?? (quick ? QUICK_ROWS : DEFAULT_ROWS)) / ROWS_PER_ORDER));
    const story = this.#story;
    story.chapter('A shop');
    const version = await this.#orStop(() => client.query<{ server_version: string }>('show server_version'));
    const { host, port } = this.#place.server;
    story.say(
      `PostgreSQL ${version.rows[0]?.server_version ?? ''} runs at ${host}:${port}, only for this demo. Filling it …`,
    );
    const started = performance.now();
    const counts = await this.#orStop(() => createShop(client, { seed: SHOP_SEED, orders }));
    const table: [string, number][] = [
      ['countries', counts.countries],
      ['customers', counts.customers],
      ['orders', counts.orders],
      ['order_items', counts.orderItems],
    ];
    const total = table.reduce((sum, [, count]) => sum + count, 0);
    story.say('');
    story.say(tableOfCounts(table, story.style));
    story.say(`${formatExact(total)} rows in ${secondsSince(started)}`);
    return total;
  }

  async #writeProject(url: string): Promise<ProjectContext> {
    const { projectFile } = this.#place;
    const text = await writeProject(projectFile, url);
    const known = await connectors();
    const context = {
      project: await loadProject({ file: projectFile, connectors: known }),
      connectors: known,
    };
    this.#catalog = openCatalog({
      storage: await openStorage(context, 'lake'),
      memoryBytes: context.project.memoryBytes,
    });
    const story = this.#story;
    story.chapter('The first load takes everything');
    story.say(`What is to be moved stands in one file, ${projectFile}:`);
    story.say('');
    story.say(story.style.dim(indent(text.trimEnd(), 2)));
    story.say('');
    return context;
  }

  async #loadEverything(context: ProjectContext): Promise<void> {
    const { screen, json } = this.#options;
    const story = this.#story;
    story.say('$ sluice run');
    const phases = createPhases();
    const progress = json
      ? undefined
      : openProgress({
          output: screen.stderr,
          style: screen.noteStyle,
          memory: () => process.memoryUsage.rss(),
        });
    screen.attach(progress);
    const report = await this.#run(
      context,
      broadcast([phases.listener, ...(progress ? [progress.listener] : [])]),
    ).finally(() => {
      progress?.close();
      screen.attach(undefined);
    });
    story.say(renderSummary(report, { style: story.style, phases: phases.seconds() }));
    await this.#look('first', report);
    const tables = (await this.#catalog?.tables()) ?? [];
    const sum = (value: (table: (typeof tables)[number]) => number): number =>
      tables.reduce((total, table) => total + value(table), 0);
    story.say(
      `The lake is a folder of Parquet files now: ${sizeText(
        sum(({ files }) => files),
        sum(({ bytes }) => bytes),
      )}.`,
    );
  }

  async #liveADay(context: ProjectContext, url: string, client: pg.Client): Promise<DayCounts> {
    const story = this.#story;
    story.chapter('A day in the shop, with loads while it is open');
    story.say(DAY_INTRODUCTION);
    story.say('');
    story.say(loadTitles(story.style));
    const changes = Math.min(MOST_CHANGES, Math.max(200, Math.round((this.#loads[0]?.rows ?? 0) / 50)));
    const load = async (name: string): Promise<void> => {
      const facts = await this.#look(name, await this.#run(context));
      story.say(loadLine(facts));
      for (const change of facts.changes)
        story.say(story.style.cyan(`${' '.repeat(15)}${changeText(change)}`));
    };
    let withTier = 0;
    const day = await liveWithLoads({
      connect: () => this.#connect(url),
      seed: DAY_SEED,
      changes,
      loads: LOADS_OF_THE_DAY,
      load: (number) => load(String(number)),
      surprise: {
        before: LOADS_OF_THE_DAY - 1,
        work: async () => {
          withTier = await addColumn(client);
        },
      },
      signal: this.#signal,
    });
    await load('after the day');
    await load('once more');
    story.say('');
    story.say(
      `Somebody added a column to customers, loyalty_tier, and filled it in for ${formatExact(withTier)} of them.`,
    );
    story.say(dayText(day, this.#loads));
    return day;
  }

  async #compare(client: pg.Client): Promise<TableComparison[]> {
    const story = this.#story;
    story.chapter('The proof: shop and lake agree, row for row');
    const started = performance.now();
    await client.query('begin isolation level repeatable read read only');
    const options = { client, catalog: this.#opened, signal: this.#signal };
    const tables = await this.#orStop(() => compareTables(TABLES, options));
    await client.query('commit');
    story.say(comparisonTable(tables, story.style));
    if (tables.every(({ equal }) => equal)) {
      story.say(
        `Every value of every row was compared, by checksums made on either side, in ${secondsSince(started)}.`,
      );
    } else {
      story.say(story.style.red('They differ. Some of the rows:'));
      story.say(differenceLines(tables));
    }
    return tables;
  }

  async #askTheLake(): Promise<void> {
    const story = this.#story;
    const sql = [
      `select strftime(order_date, '%Y-%m') as month, count(distinct id) as orders, sum(quantity) as items,`,
      `       count(distinct customer_id) as customers, max(total) as largest`,
      `  from orders join order_items on order_id = id`,
      ` where status not in ('cancelled', 'refunded') group by month order by month`,
    ].join('\n');
    story.chapter('A question to the lake; the database is not asked');
    story.say(`$ sluice catalog query "\n${indent(sql, 4)}"`);
    story.say('');
    let answer = '';
    for await (const text of this.#opened.query(sql, { format: 'table', signal: this.#signal }))
      answer += text;
    story.say(answer.trimEnd());
  }

  #sayGoodbye({ equal, seconds, folder }: DemoReport): void {
    const story = this.#story;
    const { green, red } = story.style;
    story.plain('');
    const result = equal ? green('✓ Shop and lake are equal') : red('✗ Shop and lake are different');
    story.plain(`${result}; the demo took ${formatSeconds(seconds)}.`);
    story.plain('');
    story.plain('Where to look next');
    story.plain(nextSteps(folder));
  }

  // ---- What the chapters are made of

  get #opened(): Catalog {
    if (!this.#catalog)
      throw new InternalError('the demo asks a lake that it has not made', { code: 'demo.order' });
    return this.#catalog;
  }

  async #connect(url: string): Promise<pg.Client> {
    const { default: driver } = await import('pg');
    const client = new driver.Client(url);
    // When the server is stopped under it, the query that runs fails, which is enough.
    client.on('error', () => undefined);
    await client.connect();
    this.#clients.push(client);
    return client;
  }

  async #run(context: ProjectContext, onEvent?: Parameters<typeof broadcast>[0][number]): Promise<RunReport> {
    const report = await runPipeline(context, PIPELINE, { signal: this.#signal, onEvent });
    throwIfAborted(this.#signal);
    const failed = report.streams.find(({ error }) => error);
    if (failed?.error) {
      const { message, remedy } = failed.error;
      throw new InternalError(message, { code: 'demo.load_failed', remedy });
    }
    return report;
  }

  async #look(load: string, report: RunReport): Promise<LoadFacts> {
    const facts = await (this.#watch ??= new LakeWatch(this.#opened)).look(load, report, this.#signal);
    this.#loads.push(facts);
    return facts;
  }
  #watch: LakeWatch | undefined;

  /** Work that knows nothing of signals: the server is stopped under it. */
  async #orStop<T>(work: () => Promise<T>): Promise<T> {
    throwIfAborted(this.#signal);
    return untilAborted(work(), this.#signal);
  }
}

/** Starts the server of a kept demo and waits until it is no longer wanted. */
async function reopenDemo(directory: string, { signal, json, screen }: DemoOptions): Promise<void> {
  const project = await loadProject({ directory, connectors: await connectors() });
  const url = String(project.connections['shop']?.['url']);
  const server = await reopenServer(directory, Number(new URL(url).port));
  try {
    const program = programName(process.argv, process.execPath);
    if (json) screen.print(JSON.stringify({ kind: 'demo-opened', url, folder: project.directory }));
    else {
      screen.print(`The shop is open at ${url}, until Ctrl-C. In another terminal:`);
      screen.print(`  ${program} plan --project ${project.directory}`);
      screen.print(`  ${program} run --project ${project.directory}`);
    }
    // A promise alone does not keep the process alive.
    const alive = setInterval(() => undefined, 60_000);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
    clearInterval(alive);
  } finally {
    await server.stop();
  }
}

function secondsSince(started: number): string {
  return formatSeconds((performance.now() - started) / 1000);
}
