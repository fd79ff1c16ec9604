/** The scenario files that come with the project. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../scenarios/', import.meta.url));

/** @param name one of {@link listScenarios}, or a path: it ends in .json or has a slash */
export const scenarioFile = (name: string): string =>
  name.endsWith('.json') || name.includes('/') ? name : join(FOLDER, `${name}.json`);

export async function listScenarios(): Promise<string[]> {
  const files = await readdir(FOLDER);
  return files
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.slice(0, -'.json'.length))
    .sort();
}
