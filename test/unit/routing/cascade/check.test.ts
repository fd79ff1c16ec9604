import { describe, expect, it } from 'vitest';
import { CascadeSpec } from '../../../../core/contracts/cascade.ts';
import { LossSpec } from '../../../../core/contracts/loss.ts';
import { buildMlp } from '../../../../core/onnx/builders/mlp.ts';
import { decodeModel } from '../../../../core/onnx/model.ts';
import { checkCascade } from '../../../../core/routing/cascade/check.ts';
import { cascade } from '../../../../infra/cli/commands/train/cascade.ts';

const model = decodeModel(buildMlp({ inputs: 4, hidden: [3], classes: 2, seed: 1, outputName: 'p' }));
const loss = LossSpec.parse({ kind: 'softmax-cross-entropy', output: 'p', target: 'label' });
const check = (spec: object) =>
  checkCascade(CascadeSpec.parse({ threshold: 0.9, ...spec }), model, loss, 'release.');

describe('a job with a cascade', () => {
  it('is taken where the model ends in what is judged', () => {
    expect(() => check({})).not.toThrow();
    expect(() => check({ output: 'p' })).not.toThrow();
  });

  it('is refused before it is trained where the model does not', () => {
    expect(() => check({ output: 'q' })).toThrow(
      expect.objectContaining({ code: 'unprocessable', field: 'release.cascade.output' }),
    );
    expect(() => check({ output: 'q' })).toThrow(
      'release.cascade.output: the model has no output q; it has p',
    );
    expect(() => check({ scores: 'logits' })).toThrow(
      'release.cascade.scores: p holds probabilities, not logits',
    );
  });
});

describe('a cascade for a model that is there', () => {
  const probabilities = CascadeSpec.parse({ threshold: 0.9 });
  const logits = CascadeSpec.parse({ threshold: 0.9, scores: 'logits' });
  const linear = decodeModel(
    buildMlp({ inputs: 4, hidden: [3], classes: 2, seed: 1, outputName: 'p', activation: 'none' }),
  );

  it('is judged by the model where nobody knows how it was trained', () => {
    expect(() => checkCascade(logits, model, undefined, '')).toThrow(
      expect.objectContaining({
        message: 'cascade.scores: p holds probabilities, not logits',
        field: 'cascade.scores',
      }),
    );
    expect(() => checkCascade(probabilities, model, undefined, '')).not.toThrow();
  });

  it('is judged by the loss where the model ends in no activation, and by nobody without one', () => {
    expect(() => checkCascade(probabilities, linear, loss, '')).toThrow(/p holds logits, not probabilities/);
    expect(() => checkCascade(logits, linear, loss, '')).not.toThrow();
    for (const spec of [probabilities, logits])
      expect(() => checkCascade(spec, linear, undefined, '')).not.toThrow();
  });
});

describe('the option --cascade', () => {
  it('is a cascade', () => {
    expect(cascade('margin=0.3,large=big')).toEqual({
      filter: 'margin',
      threshold: 0.3,
      scores: 'probabilities',
      large: { model: 'big' },
    });
  });

  it.each(['off', 'large=big', 'threshold=3', 'x'])('is none: %s', (text) =>
    expect(() => cascade(text)).toThrow(expect.objectContaining({ code: 'commander.invalidArgument' })),
  );
});
