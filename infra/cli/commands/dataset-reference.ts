/** What `--data` names: a dataset, and one version of it or the newest. */
import { InvalidArgumentError } from 'commander';

export interface DatasetReference {
  readonly name: string;
  /** Absent: the newest. */
  readonly version?: number;
}

/** @throws InvalidArgumentError where it is neither `name` nor `name@version` */
export function datasetReference(text: string): DatasetReference {
  const [, name, version] = /^([^@]+)(?:@([0-9]+))?$/.exec(text) ?? [];
  const number = version === undefined ? undefined : Number(version);
  if (name === undefined || (number !== undefined && !(number >= 1 && Number.isSafeInteger(number))))
    throw new InvalidArgumentError('It must be name, or name@version with a whole number from 1.');
  return { name, ...(number === undefined ? {} : { version: number }) };
}
