import { ConfigError } from '../../core/errors.ts';
import type { Model } from '../model.ts';
import { lending } from './lending.ts';
import { tenants } from './tenants.ts';

export const MODELS: readonly Model[] = [lending, tenants];

export function findModel(name: string): Model {
  const found = MODELS.find((model) => model.name === name);
  if (found) return found;
  throw new ConfigError(`model "${name}" is none of ${MODELS.map((model) => model.name).join(', ')}`, {
    code: 'generate.unknown_model',
  });
}
