/** Where local steps keep their vectors: one WebAssembly memory, so that the update can run in it. */
import type { OptimizerSpec } from '../../../core/contracts/job.ts';
import { adamConstants } from '../../../core/optimizers/adam.ts';
import { createOptimizer } from '../../../core/optimizers/optimizer.ts';
import { sweepDenormals } from '../../../core/optimizers/denormals.ts';
import type { OptimizerState } from '../../../core/optimizers/optimizer.ts';
import { adamKernel, type AdamKernel } from './kernels/adam.ts';
import { wasm } from './kernels/webassembly.ts';

/** Bytes in a page of WebAssembly memory, and in the vectors its SIMD instructions move. */
const PAGE = 65_536;
const VECTOR = 16;

export interface Workspace {
  readonly parameters: Float32Array<ArrayBuffer>;
  readonly gradient: Float32Array<ArrayBuffer>;
  readonly state: OptimizerState;
  /** One optimizer step in place: the bits of `createOptimizer(spec).update`. */
  readonly update: (step: number, learningRate: number) => void;
}

/** Zeros, for an optimizer and a number of parameters. */
export function createWorkspace(spec: OptimizerSpec, length: number): Workspace {
  const optimizer = createOptimizer(spec);
  const stride = Math.ceil((length * 4) / VECTOR) * VECTOR;
  const bytes = stride * (2 + optimizer.slots.length);
  const memory = new wasm.Memory({ initial: Math.max(1, Math.ceil(bytes / PAGE)) });
  const region = (index: number) => new Float32Array(memory.buffer, index * stride, length);
  const parameters = region(0);
  const gradient = region(1);
  const state = Object.fromEntries(optimizer.slots.map((slot, i) => [slot, region(2 + i)]));
  const plain = (step: number, learningRate: number) =>
    optimizer.update({ parameters, gradient, state, step, learningRate });
  if (spec.kind !== 'adam') return { parameters, gradient, state, update: plain };

  const kernel: AdamKernel = adamKernel(memory);
  return {
    parameters,
    gradient,
    state,
    update(step, learningRate) {
      const { beta1, rest1, beta2, rest2, rate, scale, epsilon } = adamConstants(spec, step, learningRate);
      // The last vector may reach into padding: zeros there stay zeros.
      kernel(0, stride, 2 * stride, 3 * stride, stride, beta1, rest1, beta2, rest2, rate, scale, epsilon);
      for (const vector of Object.values(state)) sweepDenormals(step, vector);
    },
  };
}
