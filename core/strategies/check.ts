/** Combinations of strategy and compression that mean nothing, refused by field. */
import { Fault } from '../errors.ts';
import { type Given, mergeMomentum } from './table.ts';

interface Rule {
  readonly field: string;
  readonly message: string;
  readonly breaks: (given: Given) => boolean;
}

const isLossy = ({ compression }: Given) =>
  compression !== undefined && (compression.values !== 'fp32' || compression.topK !== undefined);

const RULES: readonly Rule[] = [
  {
    field: 'compression',
    message:
      'local-sgd that averages the state of its optimizer sends it whole; what it sends can be compressed with "optimizerState": "reset"',
    breaks: ({ strategy, compression }) =>
      compression !== undefined && strategy.kind === 'local-sgd' && strategy.optimizerState === 'average',
  },
  {
    field: 'compression.errorFeedback',
    message: 'nothing is lost: it needs values of fp16 or int8, or topK',
    breaks: (given) => given.compression?.errorFeedback === true && !isLossy(given),
  },
  {
    field: 'compression.topK.momentumCorrection',
    message:
      'the merge has no momentum that shards could apply: it needs diloco or an outer momentum, or all-reduce with sgd and momentum',
    breaks: (given) => given.compression?.topK?.momentumCorrection === true && mergeMomentum(given) === 0,
  },
  {
    field: 'compression.errorFeedback',
    message:
      'momentum correction sums up what is not sent: without error feedback set topK.momentumCorrection to false',
    breaks: (given) =>
      given.compression?.errorFeedback === false &&
      given.compression.topK !== undefined &&
      given.compression.topK.momentumCorrection !== false &&
      mergeMomentum(given) > 0,
  },
  {
    field: 'clipNorm',
    message:
      'all-reduce clips the mean gradient by the norm of all of it, which several mergers do not see: it needs "mergers": 1',
    breaks: ({ strategy, clipNorm }) =>
      clipNorm !== undefined && strategy.kind === 'all-reduce' && strategy.mergers > 1,
  },
];

/** @throws Fault `invalid` naming the field, and what would do */
export function checkStrategy(given: Given): void {
  const broken = RULES.find(({ breaks }) => breaks(given));
  if (broken !== undefined)
    throw new Fault('invalid', `${broken.field}: ${broken.message}`, { field: broken.field });
}
