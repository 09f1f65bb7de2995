/** The options of `sluice generate` that say which records are made, and what is wrong with them. */
import { hint } from '../config/suggest.ts';
import { ConfigError } from '../core/errors.ts';
import { parsePercent } from '../core/units.ts';
import { FAULT_KINDS, type FaultKind, type FaultOptions } from '../generate/faults.ts';
import { DRIFT_KINDS, type DriftKind } from '../generate/model.ts';
import type { ModelOptions } from '../generate/open-model.ts';
import type { Flags } from './arguments.ts';

export function readModelOptions(flags: Flags): ModelOptions {
  return {
    model: flags.text('model'),
    seed: readWhole(flags, 'seed'),
    rows: readWhole(flags, 'rows'),
    from: flags.text('from'),
    inserts: readWhole(flags, 'inserts'),
    updates: readWhole(flags, 'updates'),
    deletes: readWhole(flags, 'deletes'),
    drift: readDrift(flags.list('drift')),
  };
}

function readDrift(texts: readonly string[]): Partial<Record<DriftKind, number>> {
  const drift: Partial<Record<DriftKind, number>> = {};
  for (const text of texts) {
    const [, name = '', day = ''] = /^([a-z-]+)@(\d+)$/.exec(text) ?? [];
    const kinds = name === 'all' ? DRIFT_KINDS : DRIFT_KINDS.filter((kind) => kind === name);
    if (kinds.length === 0) throw usageError(`--drift: "${text}" is no change@day${hint(name, DRIFT_KINDS)}`);
    for (const kind of kinds) drift[kind] = Number(day);
  }
  return drift;
}

export function readFaults(flags: Flags): FaultOptions | undefined {
  const share = flags.text('faults');
  const kinds = flags.list('fault').map((kind): FaultKind => {
    const found = FAULT_KINDS.find((known) => known === kind);
    if (!found)
      throw usageError(`--fault: "${kind}" is none of ${FAULT_KINDS.join(', ')}${hint(kind, FAULT_KINDS)}`);
    return found;
  });
  const fields = flags.list('fault-field');
  if (share === undefined) {
    if (kinds.length + fields.length > 0)
      throw usageError("--fault says which, --faults how many: --faults '1 %'");
    return undefined;
  }
  return {
    rate: parsePercent(share) / 100,
    kinds: kinds.length > 0 ? kinds : undefined,
    fields: fields.length > 0 ? fields : undefined,
  };
}

/** A whole number from 0 on. */
export function readWhole(flags: Flags, name: string): number | undefined {
  const text = flags.text(name);
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new ConfigError(`--${name}: "${text}" is no whole number`, { code: 'cli.number' });
}

export function usageError(message: string): ConfigError {
  return new ConfigError(message, {
    code: 'cli.usage',
    remedy: 'sluice generate --help shows what there is',
  });
}
