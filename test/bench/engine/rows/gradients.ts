/**
 * Gradients alone, one thread: how much of the runtime's own rate of multiplying matrices is left. The same graph asked
 * for its loss computes every gradient too, and hands none over: what lies between is onnxruntime-node's way out.
 */
import { nativeRuntime } from '../../../../cloud/adapters/onnxruntime.ts';
import { loadProgram } from '../../../../cloud/training/engine/program.ts';
import { TRAINING_NAMES } from '../../../../core/autodiff/training-graph.ts';
import { table } from '../../../../infra/cli/output.ts';
import { layerProducts, squareMatmul } from '../../matmul.ts';
import { FLOPS_PER_SAMPLE } from '../../single-process.ts';
import { mnistBatches } from '../data.ts';
import { ratios, repeat, spread, takeTurns, type Turns } from '../measure.ts';
import { feedsOf } from '../networks.ts';
import { MLP } from '../trainer.ts';
import { perceptron, rowsOf } from '../training.ts';
import { range } from '../print.ts';

export async function gradientsTable(rows: number, turns: Turns): Promise<string> {
  const training = await perceptron();
  const program = await loadProgram(training.graph, training.parameters);
  const session = await nativeRuntime().load(training.graph);
  const matmul = await squareMatmul();
  const products = await layerProducts(rows, MLP.pixels, MLP.hidden);
  // The same batch each time, as the MatMul has the same matrices: arithmetic is compared, not the way to memory.
  const [batch] = await mnistBatches(rows, 1);
  const data = rowsOf(batch!);
  const feeds = feedsOf(training, data);
  const times = await takeTurns(
    [
      { name: 'matmul', turn: repeat(matmul.run) },
      { name: 'products', turn: repeat(products.run) },
      { name: 'kept', turn: repeat(() => session.run(feeds, [TRAINING_NAMES.loss])) },
      { name: 'gradients', turn: repeat(() => program.gradients(training.initial, data)) },
    ],
    turns,
  );
  await program.release();
  await session.release();
  await matmul.release();
  await products.release();
  const rate = (flops: number) => (milliseconds: number) => flops / milliseconds / 1e6;
  const ofMatmul = times.get('matmul')!.map(rate(matmul.flops));
  const flops = rows * FLOPS_PER_SAMPLE;
  const row = (name: string, rates: readonly number[]) => {
    const share = ratios(rates, ofMatmul);
    return [
      name,
      spread(rates).median.toFixed(1),
      range(spread(rates), 1),
      `${(100 * share.median).toFixed(0)} %`,
      range({ median: 0, min: 100 * share.min, max: 100 * share.max }, 0),
    ];
  };
  return table(
    [`one thread, batch ${rows}`, 'GFLOP/S', 'MIN..MAX', 'OF MATMUL', 'MIN..MAX'],
    [
      row('plain MatMul, 512 × 512', ofMatmul),
      row('its two large products alone', times.get('products')!.map(rate(products.flops))),
      row('gradients of 784-128-10', times.get('gradients')!.map(rate(flops))),
      row('the same, not handed over', times.get('kept')!.map(rate(flops))),
    ],
  );
}
