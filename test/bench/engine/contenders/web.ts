/** The same training graph and optimizer on ONNX Runtime's WebAssembly build, as an edge place would run it. */
import { env, InferenceSession, Tensor } from 'onnxruntime-web';
import { TRAINING_NAMES } from '../../../../core/autodiff/training-graph.ts';
import { DTYPES } from '../../../../core/tensors/dtypes.ts';
import { createWorkspace } from '../../../../cloud/training/engine/workspace.ts';
import { ADAM, type CreateTrainer } from '../trainer.ts';
import { fill, OPTIMIZER, perceptron, rowsOf } from '../training.ts';

export const create: CreateTrainer = async (weights) => {
  env.wasm.numThreads = 1;
  const training = await perceptron();
  const session = await InferenceSession.create(training.graph, {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'all',
  });
  const { data, gradient: gradientOf, loss, parameter } = TRAINING_NAMES;
  const length = training.initial.length;
  const { parameters, gradient, update } = createWorkspace({ optimizer: OPTIMIZER, length });
  fill(parameters, training.parameters, weights);
  let steps = 0;
  return {
    async step(batch) {
      const feeds: Record<string, Tensor> = {};
      for (const [name, { dtype, shape, data: values }] of Object.entries(rowsOf(batch)))
        feeds[data(name)] = new Tensor(DTYPES[dtype].ort, values, shape);
      for (const { name, shape, offset, length } of training.parameters)
        feeds[parameter(name)] = new Tensor('float32', parameters.subarray(offset, offset + length), shape);
      const results = await session.run(feeds);
      for (const { name, offset } of training.parameters)
        gradient.set(results[gradientOf(name)]!.data as Float32Array, offset);
      update(steps++, ADAM.learningRate);
      return Number(results[loss]!.data[0]);
    },
  };
};
