/** jax-js on its WebAssembly backend, gradients and update in one jitted function. Node has no global Worker: one thread. */
import { defaultDevice, init, jit, nn, numpy as np, valueAndGrad } from '@jax-js/jax';
import { ADAM, MLP, type CreateTrainer } from '../trainer.ts';

type Tree = { weight1: np.Array; bias1: np.Array; weight2: np.Array; bias2: np.Array };
const NAMES = ['weight1', 'bias1', 'weight2', 'bias2'] as const;

function loss(p: Tree, images: np.Array, labels: np.Array): np.Array {
  const hidden = nn.relu(np.matmul(images, p.weight1).add(p.bias1));
  const scores = nn.logSoftmax(np.matmul(hidden, p.weight2).add(p.bias2), -1);
  const hot = nn.oneHot(labels, MLP.classes);
  return np.sum(scores.mul(hot), -1).mean().neg();
}

/** Adam (Kingma & Ba 2015, algorithm 1), the corrections of bias as arguments, so that every step is one program. */
function step(
  p: Tree,
  m: Tree,
  v: Tree,
  images: np.Array,
  labels: np.Array,
  rate: np.Array,
  scale: np.Array,
) {
  const [value, gradient] = valueAndGrad(loss)(
    { weight1: p.weight1.ref, bias1: p.bias1.ref, weight2: p.weight2.ref, bias2: p.bias2.ref },
    images,
    labels,
  ) as [np.Array, Tree];
  const next = { p: {} as Tree, m: {} as Tree, v: {} as Tree };
  for (const name of NAMES) {
    const g = gradient[name];
    const mean = m[name].mul(ADAM.beta1).add(g.ref.mul(1 - ADAM.beta1));
    const square = v[name].mul(ADAM.beta2).add(g.ref.mul(g).mul(1 - ADAM.beta2));
    const denominator = np.sqrt(square.ref).mul(scale.ref).add(ADAM.epsilon);
    next.p[name] = p[name].sub(mean.ref.mul(rate.ref).div(denominator));
    next.m[name] = mean;
    next.v[name] = square;
  }
  rate.dispose();
  scale.dispose();
  return { value, ...next };
}

export const create: CreateTrainer = async (weights) => {
  await init('wasm');
  defaultDevice('wasm');
  const tree = (make: (data: Float32Array<ArrayBuffer>) => Float32Array<ArrayBuffer>): Tree => ({
    weight1: np.array(make(weights.weight1)).reshape([MLP.pixels, MLP.hidden]),
    bias1: np.array(make(weights.bias1)),
    weight2: np.array(make(weights.weight2)).reshape([MLP.hidden, MLP.classes]),
    bias2: np.array(make(weights.bias2)),
  });
  const zeros = (data: Float32Array) => new Float32Array(data.length);
  let state = { p: tree((data) => data.slice()), m: tree(zeros), v: tree(zeros) };
  const jitted = jit(step);
  let t = 0;
  return {
    async step({ rows, images, labels }) {
      t++;
      const rate = np.array(ADAM.learningRate / (1 - ADAM.beta1 ** t));
      const scale = np.array(1 / Math.sqrt(1 - ADAM.beta2 ** t));
      const x = np.array(images).reshape([rows, MLP.pixels]);
      const { value, ...next } = jitted(state.p, state.m, state.v, x, np.array(labels), rate, scale);
      state = next;
      const [mean] = await value.data();
      return Number(mean);
    },
  };
};
