/** Causeway as the fleet runs it: onnxruntime-node for the gradients, the optimizer in WebAssembly with SIMD. */
import { createWorkspace } from '../../../../cloud/training/engine/workspace.ts';
import { loadProgram } from '../../../../cloud/training/engine/program.ts';
import { ADAM, type CreateTrainer } from '../trainer.ts';
import { fill, OPTIMIZER, perceptron, rowsOf } from '../training.ts';

export const create: CreateTrainer = async (weights) => {
  const training = await perceptron();
  const program = await loadProgram(training.graph, training.parameters);
  const { parameters, gradient, update } = createWorkspace({ optimizer: OPTIMIZER, length: program.length });
  fill(parameters, training.parameters, weights);
  let steps = 0;
  return {
    async step(batch) {
      const { loss } = await program.gradients(parameters, rowsOf(batch), gradient);
      update(steps++, ADAM.learningRate);
      return loss;
    },
  };
};
