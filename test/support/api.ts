/** An HTTP server of a test that answers as the test wants, and a lake that is loaded from it. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ProjectDefinition } from '../../src/index.ts';
import { FileLake } from './file-lake.ts';

export interface Call {
  method: string;
  path: string;
  query: Record<string, string>;
  headers: IncomingMessage['headers'];
  body: string;
  /** How often this path was asked for before. */
  before: number;
}

/** What is sent as JSON, or a function that answers itself. */
export type Answer =
  | { status?: number; headers?: Record<string, string>; json?: unknown; text?: string | Uint8Array }
  | ((response: ServerResponse) => void | Promise<void>);

export class Api implements AsyncDisposable {
  readonly calls: Call[] = [];
  /** What is answered; tests replace it. */
  answer: (call: Call) => Answer | Promise<Answer>;
  readonly #server: Server;

  private constructor(answer: Api['answer']) {
    this.answer = answer;
    this.#server = createServer((request, response) => {
      void this.#handle(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
  }

  static async open(answer: Api['answer']): Promise<Api> {
    const api = new Api(answer);
    await new Promise<void>((resolve) => api.#server.listen(0, '127.0.0.1', resolve));
    return api;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, this.url);
    let body = '';
    for await (const piece of request) body += String(piece);
    const call: Call = {
      method: request.method!,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: request.headers,
      body,
      before: this.calls.filter(({ path }) => path === url.pathname).length,
    };
    this.calls.push(call);
    const answer = await this.answer(call);
    if (typeof answer === 'function') {
      await answer(response);
      return;
    }
    const { status = 200, headers = {}, json, text } = answer;
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(json === undefined ? text : JSON.stringify(json));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Endpoints of an API and a lake that one of them, called `t`, is loaded into. */
export class ApiLake extends FileLake {
  url = '';
  endpoints: Record<string, unknown> = { t: '/t' };

  /** Warnings of a run that succeeds. */
  async warnings(): Promise<string> {
    const said: string[] = [];
    await this.run({ onEvent: (event) => event.kind === 'warning' && said.push(event.message) });
    return said.join('\n');
  }

  override get project(): ProjectDefinition {
    const { connections, pipelines } = super.project;
    const rest = { type: 'rest', url: this.url, endpoints: this.endpoints, ...this.connection };
    return { connections: { ...connections, files: rest }, pipelines: pipelines! };
  }
}
