/** Reads the models there are, and the releases of those that have changed. */
import { read } from './api.js';
import { known, tell } from './state.js';
/** @import { Model } from './types.ts' */

/** What was read of each model when its releases were. @type {Map<string, string>} */
const versions = new Map();

export async function lookAtModels() {
  /** @type {{ models: Model[] }} */
  const { models } = await read('/v1/models');
  for (const model of models) {
    const version = JSON.stringify(model);
    if (versions.get(model.name) === version) continue;
    const path = `/v1/models/${encodeURIComponent(model.name)}/releases`;
    known.releases.set(model.name, model.releases === 0 ? [] : (await read(path)).releases);
    versions.set(model.name, version);
  }
  known.models = models;
  known.isRead.models = true;
  tell('models');
}
