/** What is compared: one optimizer step of the same perceptron, from the same weights, on the same batches. */

export const MLP = { pixels: 784, hidden: 128, classes: 10 } as const;
export const ADAM = { learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;

/** Row-major. `weight1` is `[784, 128]`, `weight2` `[128, 10]`. */
export interface Weights {
  readonly weight1: Float32Array<ArrayBuffer>;
  readonly bias1: Float32Array<ArrayBuffer>;
  readonly weight2: Float32Array<ArrayBuffer>;
  readonly bias2: Float32Array<ArrayBuffer>;
}

export interface Batch {
  readonly rows: number;
  /** `[rows, 784]`, 0 to 1. */
  readonly images: Float32Array<ArrayBuffer>;
  /** `[rows]`. */
  readonly labels: Int32Array<ArrayBuffer>;
}

export interface Trainer {
  /** Forward, backward and Adam. @returns the mean softmax cross-entropy before the step */
  step(batch: Batch): Promise<number>;
}

/** Each file that trains exports one. */
export type CreateTrainer = (weights: Weights) => Promise<Trainer>;
