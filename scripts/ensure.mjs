// Installs what package-lock.json names, unless it is installed already, then runs a task of the table below
// with node_modules/.bin first on PATH, so that `node` is the pinned Node 24.
// This file has to run on whatever Node the machine has (18 or newer) and before anything is installed.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const modules = join(root, 'node_modules');

const build = { name: 'build', run: ['node', 'scripts/build.mjs'] };
const vitest = (project, ...flags) => ['vitest', 'run', '--project', project, ...flags];

// A failed check does not stop what follows it: one run shows everything that is wrong.
const checks = [
  { name: 'formatting', run: ['oxfmt', '--check'], goOn: true },
  { name: 'lint and types', run: ['oxlint'], goOn: true },
  { name: 'unused code', run: ['knip'], goOn: true },
  build,
];

/** A task is a list of steps; the arguments of `npm run <task> -- …` go to its last one. */
const tasks = {
  build: () => [build],
  demo: () => [build, { name: 'demo', run: ['node', 'dist/cli/main.js', 'demo'] }],
  bench: () => [build, { name: 'bench', run: ['node', 'bench/run.ts'] }],
  guarantees: () => [build, { name: 'guarantees', run: ['node', 'guarantees/run.ts'] }],
  format: () => [{ name: 'format', run: ['oxfmt'] }],
  lint: () => [{ name: 'lint and types', run: ['oxlint'] }],
  // `npm test -- some/path` is the quick loop of someone at work on one thing: no checks.
  test: (args) => [...(args.length > 0 ? [build] : checks), { name: 'tests', run: vitest('unit') }],
  'test:servers': () => [
    build,
    { name: 'server tests', run: vitest('servers', '--maxWorkers=3', '--passWithNoTests') },
  ],
};

let child; // the command that runs now
let interrupted = false;

const [task = '', ...args] = process.argv.slice(2);
if (!Object.hasOwn(tasks, task)) {
  say(`unknown task "${task}", known are: ${Object.keys(tasks).join(', ')}`);
  process.exit(2);
}
passSignalsOn();
if (!isInstalled()) await install();
await runSteps(tasks[task](args));

async function runSteps(steps) {
  steps.at(-1).run.push(...args);
  const failed = [];
  for (const step of steps) {
    if (steps.length > 1) say(step.name);
    const { code, signal } = await run(step.run);
    if (signal || interrupted) await endLike(code, signal);
    if (code === 0) continue;
    failed.push(step.name);
    process.exitCode = code;
    if (!step.goOn) break;
  }
  if (failed.length > 0) say(`failed: ${failed.join(', ')}`);
}

/** Installed means: by this script from this very lock file, or by npm after the lock file was last written. */
function isInstalled() {
  if (!existsSync(join(modules, '.bin'))) return false;
  const stamp = join(modules, '.sluice-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lockHash()) return true;
  // npm writes its own record last, so an interrupted install has none.
  const record = join(modules, '.package-lock.json');
  return existsSync(record) && statSync(record).mtimeMs >= statSync(join(root, 'package-lock.json')).mtimeMs;
}

async function install() {
  const started = Date.now();
  say('installing dependencies into node_modules (once; about 480 MB: Node, DuckDB, PostgreSQL, compilers)');
  // Only errors: npm on an old Node would warn of packages that need the Node it is about to install.
  const { code, signal } = await run(['npm', 'ci', '--loglevel=error']);
  if (signal || interrupted) await endLike(code, signal);
  if (code !== 0) {
    say('the installation did not finish; "npm ci" repeats it with all of npm\'s output');
    process.exit(code);
  }
  writeFileSync(join(modules, '.sluice-lock'), lockHash());
  say(`installed in ${Math.round((Date.now() - started) / 1000)} s`);
}

function lockHash() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
}

/** Runs a command in the repository's root and tells how it ended. */
function run([program, ...rest]) {
  const PATH = [join(modules, '.bin'), process.env.PATH].join(delimiter);
  // On Windows the programs in .bin are .cmd files, which only a shell can start.
  const shell = process.platform === 'win32';
  return new Promise((resolve) => {
    child = spawn(program, rest, { cwd: root, stdio: 'inherit', shell, env: { ...process.env, PATH } });
    child.on('error', (error) => {
      say(`starting "${program}": ${error.message}`);
      resolve({ code: 127 });
    });
    child.on('exit', (code, signal) => resolve({ code: code ?? 128 + constants.signals[signal], signal }));
  });
}

/** An interrupt is the command's to handle: it gets the signal, and this process waits for how it ends. */
function passSignalsOn() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      interrupted = true;
      // A terminal sends Ctrl-C to the command as well, and a second one would mean "at once".
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child?.kill(signal);
    });
  }
  // A SIGTERM to npm ends npm and its shell but is not passed on to here: being orphaned tells as much.
  const parent = process.ppid;
  const watch = setInterval(() => {
    if (process.ppid === parent || process.env.npm_lifecycle_event === undefined) return;
    clearInterval(watch);
    process.kill(process.pid, 'SIGTERM');
  }, 200);
  watch.unref();
}

function endLike(code, signal) {
  if (!signal) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  // The signal arrives a moment later; nothing else may start until then.
  return new Promise(() => {});
}

/** On standard error, for standard output belongs to the command: `npm run --silent bench -- all --json > file`. */
function say(line) {
  console.error(`sluice: ${line}`);
}
