import type { Listener } from '../core/events.ts';
import { redactUrl } from '../core/redact.ts';

/** Each event as one line of JSON with the time it was seen, for programs that follow a run. */
export function createJsonLines(write: (line: string) => void, now: () => Date = () => new Date()): Listener {
  return (event) => {
    write(jsonLine({ at: now().toISOString(), ...event }));
  };
}

/** One line, newline included. Events are free of secrets already; messages that a driver wrote are cleaned once more. */
export function jsonLine(value: object): string {
  return `${JSON.stringify(value, (_key, item: unknown) => (typeof item === 'string' ? redactUrl(item) : item))}\n`;
}
