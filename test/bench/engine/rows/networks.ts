/** Forward alone, and forward with backward: what gradients cost a convolutional net and a transformer. */
import { nativeRuntime } from '../../../../cloud/adapters/onnxruntime.ts';
import { loadProgram } from '../../../../cloud/training/engine/program.ts';
import { TRAINING_NAMES } from '../../../../core/autodiff/training-graph.ts';
import { table } from '../../../../infra/cli/output.ts';
import { ratios, repeat, spread, takeTurns, type Turns } from '../measure.ts';
import { feedsOf, forwardOf, type Network, NETWORKS, trainingOf } from '../networks.ts';
import { range } from '../print.ts';

export async function networksTable(turns: Turns): Promise<string> {
  const lines = [];
  for (const network of NETWORKS) lines.push(await line(network, turns));
  return table(
    ['milliseconds a batch', 'FORWARD', 'MIN..MAX', 'WITH BACKWARD', 'MIN..MAX', 'BACKWARD IS', 'MIN..MAX'],
    lines,
  );
}

async function line(network: Network, turns: Turns): Promise<string[]> {
  const training = await trainingOf(network);
  const program = await loadProgram(training.graph, training.parameters);
  const forward = await nativeRuntime().load(forwardOf(training.graph));
  const { name, batch } = network;
  const values = feedsOf(training, batch);
  const times = await takeTurns(
    [
      { name: 'forward', turn: repeat(() => forward.run(values, [TRAINING_NAMES.loss])) },
      { name: 'both', turn: repeat(() => program.gradients(training.initial, batch)) },
    ],
    turns,
  );
  await Promise.all([program.release(), forward.release()]);
  const [ofForward, ofBoth] = [times.get('forward')!, times.get('both')!];
  const backward = ratios(
    ofBoth.map((both, round) => both - ofForward[round]!),
    ofForward,
  );
  const [f, b] = [spread(ofForward), spread(ofBoth)];
  const cells = [f.median.toFixed(2), range(f, 2), b.median.toFixed(2), range(b, 2)];
  return [name, ...cells, `${backward.median.toFixed(2)} × forward`, range(backward, 2)];
}
