/** A target's part in a cascade: it judges its own answer and says which rows are hard. The router does the rest. */
import { CASCADE_PART, REQUEST_HEADERS } from '../contracts/headers.ts';
import type { CascadeSpec } from '../contracts/cascade.ts';
import type { Release } from '../contracts/release.ts';
import type { VariantName } from '../registry/variant-names.ts';
import { cascadeOf, parseCascade } from '../routing/cascade/header.ts';
import { judge, judgedOutput, type Judgement } from '../routing/cascade/judge.ts';
import { writeRows } from '../routing/cascade/row-list.ts';
import type { Values } from './batch.ts';

/** How the answer to a request is to be judged. */
export interface Judging {
  readonly spec: CascadeSpec;
  /** Name of the output that is judged. */
  readonly output: string;
}

/** What is said of an answer. */
export interface Judged extends Judgement {
  /** For the headers of the answer. */
  readonly hardRows: string;
  readonly large: string | undefined;
}

/**
 * @param said by the request's header; undefined: nothing
 * @returns undefined where the answer is not judged, which is nearly always
 * @throws Fault `invalid` for what the header says, `unprocessable` where the model has no such output
 */
export function judgingOf(
  { cascade, signature, routing }: Release,
  variant: VariantName,
  said: string | undefined,
): Judging | undefined {
  if ((cascade === undefined && said === undefined) || said === CASCADE_PART) return undefined;
  // What must not leave the edge: a router that has not heard of it yet would ask, and hard examples would be kept.
  if (routing?.exclude?.includes('cloud') === true) return undefined;
  const field = REQUEST_HEADERS.cascade;
  const spec = cascadeOf(cascade, said === undefined ? undefined : parseCascade(said, field), field);
  if (spec === undefined) return undefined;
  const output = judgedOutput(spec, signature.outputs);
  // There is no larger variant than this one: nobody to be asked.
  return spec.large === undefined && variant === 'fp32' ? undefined : { spec, output };
}

/** @throws Fault `unprocessable` where the output does not fit the filter */
export function judged({ spec, output }: Judging, values: Values): Judged {
  const judgement = judge(output, values[output]!, spec);
  const { model, version } = spec.large ?? {};
  return {
    ...judgement,
    hardRows: writeRows(judgement.hard, judgement.rows),
    large: version === undefined ? model : `${model}/${version}`,
  };
}
