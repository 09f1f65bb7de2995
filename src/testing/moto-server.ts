/**
 * A server that speaks S3, for tests: moto, in memory, on a free port of this machine, gone with our process. npm has none, so
 * Python and moto have to be there (pip install 'moto[server]'). It checks no credentials. Requests are answered one after the
 * other, because moto itself looks whether an object exists and then writes it, with room for another writer in between,
 * where S3 leaves none.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { ConfigError } from '../core/errors.ts';

export interface MotoServer extends AsyncDisposable {
  /** For the option `endpoint`. */
  readonly endpoint: string;
  createBucket(name: string): Promise<void>;
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 60_000;
const PYTHON = process.platform === 'win32' ? 'python' : 'python3';

/** What a client needs that looks for credentials in its environment. */
export const MOTO_ENV: Readonly<Record<string, string>> = {
  AWS_ACCESS_KEY_ID: 'testing',
  AWS_SECRET_ACCESS_KEY: 'testing',
  AWS_REGION: 'us-east-1',
};

const SERVER = `
import io, os, sys, threading
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

app = DomainDispatcherApplication(create_backend_app)
lock = threading.Lock()

def one_at_a_time(environ, start_response):
    body = environ['wsgi.input'].read(int(environ.get('CONTENT_LENGTH') or 0))
    environ['wsgi.input'] = io.BytesIO(body)
    with lock:
        return list(app(environ, start_response))

class Quiet(WSGIRequestHandler):
    def log(self, *args):
        pass

def end_with_parent():
    sys.stdin.read()
    os._exit(0)

server = make_server('127.0.0.1', 0, one_at_a_time, threaded=True, request_handler=Quiet)
threading.Thread(target=end_with_parent, daemon=True).start()
print(server.server_port, flush=True)
server.serve_forever()
`;

const MODULES = ['moto', 'flask', 'flask_cors'];
const LOOK = `import importlib.util, sys; sys.exit(any(importlib.util.find_spec(m) is None for m in ${JSON.stringify(MODULES)}))`;
let missing: { reason: string | undefined } | undefined;

/** Why no server can be started here; undefined when one can. */
export function motoMissing(): string | undefined {
  missing ??= {
    reason:
      spawnSync(PYTHON, ['-c', LOOK]).status === 0
        ? undefined
        : "moto is not installed (pip install 'moto[server]')",
  };
  return missing.reason;
}

export async function startMoto(): Promise<MotoServer> {
  const reason = motoMissing();
  if (reason !== undefined)
    throw new ConfigError(`starting moto: ${reason}`, { code: 'moto_server.not_installed' });
  const child = spawn(PYTHON, ['-c', SERVER], { stdio: ['pipe', 'pipe', 'pipe'] });
  const endpoint = `http://127.0.0.1:${await portOf(child)}`;
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await exited;
  };
  return {
    endpoint,
    stop,
    createBucket: async (name) => {
      const answer = await fetch(`${endpoint}/${name}`, { method: 'PUT' });
      if (!answer.ok) throw new Error(`creating bucket ${name}: ${answer.status}`);
    },
    [Symbol.asyncDispose]: stop,
  };
}

/** Its first line of output. */
function portOf(child: ChildProcess): Promise<string> {
  let errors = '';
  child.stderr!.on('data', (chunk: Buffer) => (errors = (errors + chunk.toString()).slice(-4096)));
  return new Promise((resolve, reject) => {
    const failed = (): void => {
      child.kill('SIGKILL');
      reject(
        new ConfigError(`starting moto: it is not ready; its output ends with\n${errors}`, {
          code: 'moto_server.failed',
        }),
      );
    };
    const timer = setTimeout(failed, START_TIMEOUT_MS);
    child.once('exit', failed);
    child.stdout!.once('data', (line: Buffer) => {
      clearTimeout(timer);
      child.off('exit', failed);
      resolve(line.toString().trim());
    });
  });
}
