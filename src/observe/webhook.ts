/** Posts alerts as JSON to a URL of the project. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Alert, Webhook } from '../core/alerts.ts';
import type { Reporter, ReporterWarning } from './reporter.ts';

/** What is posted. Fields are added, and do not change. */
export interface AlertMessage {
  version: 1;
  /** Undefined when no run was made: `sluice status --alerts`. */
  run: string | undefined;
  pipeline: string;
  at: string;
  alerts: readonly Alert[];
}

/** Before the second attempt; twice as long before each further one. */
const FIRST_WAIT_MS = 500;

export function createWebhook(
  webhook: Webhook,
  about: Pick<AlertMessage, 'run' | 'pipeline'>,
  signal: AbortSignal,
): Reporter {
  const alerts: Alert[] = [];
  return {
    listener: (event) => {
      if (event.kind !== 'alert') return;
      const { kind: _, ...alert } = event;
      alerts.push(alert);
    },
    finish: async () => {
      if (alerts.length === 0) return [];
      return post(webhook, { version: 1, ...about, at: new Date().toISOString(), alerts }, signal);
    },
  };
}

/** The URL and the headers may be secrets, and so may what the server answers: messages have neither. */
export async function post(
  { url, headers, timeout, retries }: Webhook,
  message: AlertMessage,
  signal: AbortSignal,
): Promise<ReporterWarning[]> {
  const body = JSON.stringify(message);
  for (let attempt = 0; ; attempt++) {
    const found = await attemptPost(url, { body, headers, timeout, signal });
    if (found === undefined) return [];
    if (attempt === retries || !found.passes || signal.aborted) return [notDelivered(url, found.text)];
    // A stop ends the wait as well.
    await sleep(FIRST_WAIT_MS * 2 ** attempt, undefined, { signal }).catch(() => undefined);
  }
}

interface Attempt {
  body: string;
  headers: Webhook['headers'];
  timeout: number;
  signal: AbortSignal;
}

/** What is wrong, and whether that may pass; undefined when it was taken. */
async function attemptPost(
  url: string,
  { body, headers, timeout, signal }: Attempt,
): Promise<{ text: string; passes: boolean } | undefined> {
  const limit = AbortSignal.timeout(timeout * 1000);
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'sluice', ...headers },
      body,
      // Another address was not asked for, and would get the headers.
      redirect: 'manual',
      signal: AbortSignal.any([signal, limit]),
    });
    // What it says is of no interest, and no failure if it says it badly.
    await response.body?.cancel().catch(() => undefined);
    if (response.ok) return undefined;
    const { status } = response;
    return { text: `it answered ${status}`, passes: status >= 500 || status === 429 || status === 408 };
  } catch (error) {
    if (signal.aborted) return { text: 'the run was stopped', passes: false };
    if (limit.aborted) return { text: `no answer within ${timeout} s`, passes: true };
    return { text: codeOf(error), passes: true };
  }
}

/** `ECONNREFUSED`: the message may name more than that. */
function codeOf(error: unknown): string {
  const { cause } = error as { cause?: { code?: unknown } };
  return typeof cause?.code === 'string' ? cause.code : 'the request could not be made';
}

function notDelivered(url: string, found: string): ReporterWarning {
  return {
    code: 'alerts.not_delivered',
    message: `posting alerts to ${new URL(url).host}: ${found}`,
    remedy: 'check alerts.webhook; the alerts themselves are in the history of runs',
  };
}
