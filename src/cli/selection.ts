import { matcher, tableName } from '../config/stream-name.ts';

/** Whether a stream was asked for: by name, by wildcard, or by its table alone. No pattern: everything was. */
export function isWanted(stream: string, patterns: readonly string[]): boolean {
  return (
    patterns.length === 0 ||
    patterns.some((pattern) => matcher(pattern)(stream) || tableName(stream) === pattern)
  );
}
