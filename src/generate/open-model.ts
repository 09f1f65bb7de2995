import { type Dataset, type DatasetOptions, openDataset } from './dataset.ts';
import { findModel, MODELS } from './models/known-models.ts';

export interface ModelOptions extends DatasetOptions {
  /** `lending` (partners, loans, payments) or `tenants` (one kind of record with 20 plain fields); the first when absent. */
  model?: string | undefined;
}

/** Records of a model: the same for the same options, wherever and whenever they are made. None is made before it is asked for. */
export function openModel({ model = 'lending', ...options }: ModelOptions = {}): Dataset {
  return openDataset(findModel(model), options);
}

/** Names of the records of all models, parents before their children. */
export function allRecordNames(): string[] {
  return MODELS.flatMap(({ entities }) => entities.map(({ name }) => name));
}
