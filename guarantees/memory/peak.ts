/** What the built command takes at most. */
import { startCommand } from '../kill/command.ts';
import type { AnyPair } from '../pair.ts';
import { treeMemory } from '../processes.ts';

const SAMPLE_MS = 10;

/** Runs `sluice <args>` to its good end; resident bytes of the process and all that it starts. */
export async function peakOf(pair: AnyPair, args: readonly string[]): Promise<number> {
  const command = await startCommand(pair, args);
  let peak = 0;
  const sample = (): void => void (peak = Math.max(peak, treeMemory(command.pid) ?? 0));
  const timer = setInterval(sample, SAMPLE_MS);
  try {
    const { code, signal, output } = await command.ended;
    if (code !== 0) throw new Error(`sluice ${args.join(' ')}: ended with ${code ?? signal}: ${output}`);
  } finally {
    clearInterval(timer);
  }
  return peak;
}
