/** Forward alone, and forward with backward: what gradients cost a convolutional net and a transformer. */
import { nativeRuntime } from '../../../../cloud/adapters/onnxruntime.ts';
import { inferTypes } from '../../../../cloud/adapters/onnxruntime-types.ts';
import { gradientGraph, gradientName } from '../../../../core/autodiff/gradient-graph.ts';
import { encodeModel } from '../../../../core/onnx/model.ts';
import { prune } from '../../../../core/onnx/names.ts';
import { tensorValue } from '../../../../core/onnx/tensor.ts';
import type { TensorValue } from '../../../../core/tensors/tensor.ts';
import { table } from '../../../../infra/cli/output.ts';
import { ratios, repeat, spread, takeTurns, type Turns } from '../measure.ts';
import { lenet } from '../networks/cnn.ts';
import type { Network } from '../networks/network.ts';
import { transformer } from '../networks/transformer.ts';
import { range } from '../print.ts';

export async function networksTable(turns: Turns): Promise<string> {
  const lines = [await line(lenet(), turns), await line(transformer(), turns)];
  return table(
    ['milliseconds a batch', 'FORWARD', 'MIN..MAX', 'WITH BACKWARD', 'MIN..MAX', 'BACKWARD IS', 'MIN..MAX'],
    lines,
  );
}

async function line({ name, model, parameters, inputs }: Network, turns: Turns): Promise<string[]> {
  const graph = gradientGraph(model, await inferTypes(model), 'loss', parameters);
  // The same graph without its gradients: parameters are inputs of both.
  const output = graph.graph.output.filter((each) => each.name === 'loss');
  const forward = prune({ ...graph, graph: { ...graph.graph, output } });
  const [ahead, both] = [
    await nativeRuntime().load(encodeModel(forward)),
    await nativeRuntime().load(encodeModel(graph)),
  ];
  const values: Record<string, TensorValue> = { ...inputs };
  for (const tensor of model.graph.initializer)
    if (parameters.includes(tensor.name)) values[tensor.name] = tensorValue(tensor);
  const outputs = ['loss', ...parameters.map(gradientName)];
  const times = await takeTurns(
    [
      { name: 'forward', turn: repeat(() => ahead.run(values, ['loss'])) },
      { name: 'both', turn: repeat(() => both.run(values, outputs)) },
    ],
    turns,
  );
  await Promise.all([ahead.release(), both.release()]);
  const [ofForward, ofBoth] = [times.get('forward')!, times.get('both')!];
  const backward = ratios(
    ofBoth.map((milliseconds, round) => milliseconds - ofForward[round]!),
    ofForward,
  );
  const cells = [ofForward, ofBoth].map(spread).flatMap((each) => [each.median.toFixed(2), range(each, 2)]);
  return [name, ...cells, `${backward.median.toFixed(2)} × forward`, range(backward, 2)];
}
