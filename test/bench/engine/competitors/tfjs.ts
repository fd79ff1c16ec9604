/** TensorFlow.js on its WebAssembly backend with SIMD; in Node it has no threads. */
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { ADAM, MLP, type CreateTrainer } from '../trainer.ts';

export const create: CreateTrainer = async (weights) => {
  setWasmPaths(`${dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'))}/`);
  await tf.setBackend('wasm');
  const weight1 = tf.variable(tf.tensor2d(weights.weight1, [MLP.pixels, MLP.hidden]));
  const bias1 = tf.variable(tf.tensor1d(weights.bias1));
  const weight2 = tf.variable(tf.tensor2d(weights.weight2, [MLP.hidden, MLP.classes]));
  const bias2 = tf.variable(tf.tensor1d(weights.bias2));
  const optimizer = tf.train.adam(ADAM.learningRate, ADAM.beta1, ADAM.beta2, ADAM.epsilon);
  return {
    async step({ rows, images, labels }) {
      const x = tf.tensor2d(images, [rows, MLP.pixels]);
      const hot = tf.tidy(() => tf.oneHot(tf.tensor1d(labels, 'int32'), MLP.classes));
      const loss = optimizer.minimize(() => {
        const hidden = tf.relu(tf.add(tf.matMul(x, weight1), bias1));
        const logits = tf.add(tf.matMul(hidden, weight2), bias2);
        return tf.losses.softmaxCrossEntropy(hot, logits).asScalar();
      }, true);
      const [value] = await loss!.data();
      tf.dispose([x, hot, loss!]);
      return Number(value);
    },
  };
};
