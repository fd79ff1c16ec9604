import { describe, expect, it } from 'vitest';
import { attribute } from '../../../core/onnx/attributes.ts';
import { GraphBuilder, nodeProto } from '../../../core/onnx/builder.ts';
import type { Model } from '../../../core/onnx/model.ts';
import { computeOutputsInPlace, prune, readsOf, renameNode } from '../../../core/onnx/names.ts';
import { tensorValue } from '../../../core/onnx/tensor.ts';
import { upgradeModel } from '../../../core/onnx/upgrade.ts';

function old(op: string, attributes = {}, outputs = ['y']): Model {
  const graph = new GraphBuilder();
  graph.input({ name: 'x', dtype: 'F32', shape: [4] });
  graph.append(nodeProto(op, ['x'], outputs, attributes));
  graph.output({ name: 'y', dtype: 'F32', shape: [] });
  return { ...graph.build('old'), opsetImport: [{ domain: '', version: 17 }] };
}

describe('upgrade to the operator set we write', () => {
  it('moves the axes of reductions to an input', () => {
    const { graph, opsetImport } = upgradeModel(old('ReduceMean', { axes: [-1, 0], keepdims: 0 }));
    expect(opsetImport).toEqual([{ domain: '', version: 21 }]);
    const [node] = graph.node;
    expect(node?.attribute.map((each) => each.name)).toEqual(['keepdims']);
    const axes = graph.initializer.find((tensor) => tensor.name === node?.input[1]);
    expect(tensorValue(axes!).data).toEqual(BigInt64Array.of(-1n, 0n));
  });

  it('leaves reductions over everything as they are, and says into how many parts a Split goes', () => {
    expect(upgradeModel(old('ReduceMax', { keepdims: 0 })).graph.node[0]?.input).toEqual(['x']);
    const split = upgradeModel(old('Split', { axis: 0 }, ['y', 'z'])).graph.node[0];
    expect(split?.attribute.find((each) => each.name === 'num_outputs')?.i).toBe(2n);
  });

  it('takes a batch normalization of old that uses given statistics, and refuses one that makes its own', () => {
    const at13 = (outputs: string[]): Model => ({
      ...old('BatchNormalization', { epsilon: { float: 1e-3 } }, outputs),
      opsetImport: [{ domain: '', version: 13 }],
    });
    const inference = at13(['y']);
    expect(upgradeModel(inference).graph.node).toEqual(inference.graph.node);
    expect(() => upgradeModel(at13(['y', 'mean', 'var']))).toThrow(/operator set 14/);
  });

  it('keeps the meaning of what got other defaults or names', () => {
    const at = (op: string, version: number, attributes = {}) =>
      upgradeModel({ ...old(op, attributes), opsetImport: [{ domain: '', version }] }).graph;
    const text = (graph: Model['graph'], name: string) =>
      new TextDecoder().decode(graph.node[0]?.attribute.find((each) => each.name === name)?.s);
    expect(text(at('RoiAlign', 15), 'coordinate_transformation_mode')).toBe('output_half_pixel');
    expect(at('RoiAlign', 16).node[0]?.attribute).toEqual([]);
    expect(text(at('GridSample', 19, { mode: 'bicubic' }), 'mode')).toBe('cubic');
    expect(text(at('GridSample', 16), 'mode')).toBe('linear');
    const transform = at('DFT', 17, { axis: 2 });
    expect(transform.node[0]?.input).toEqual(['x', '', 'y.axis']);
    expect(tensorValue(transform.initializer[0]!)).toMatchObject({ shape: [], data: BigInt64Array.of(2n) });
    expect(tensorValue(at('DFT', 17).initializer[0]!).data).toEqual(BigInt64Array.of(1n));
  });

  it("goes into subgraphs, whose new initializers are their own and take nobody's name", () => {
    const { graph } = old('ReduceMean', { axes: [0] });
    const inner = { ...graph, input: [] };
    const branch = { ...attribute('then_branch', 0), type: 5, g: inner };
    const conditional = { ...nodeProto('If', ['y.axes'], ['out']), attribute: [branch] };
    const model = old('Relu');
    const nodes = [nodeProto('Identity', ['x'], ['y.axes']), conditional];
    const upgraded = upgradeModel({ ...model, graph: { ...model.graph, node: nodes } }).graph;
    const then = upgraded.node[1]?.attribute[0]?.g;
    expect(then?.node[0]?.input).toEqual(['x', 'y.axes_1']);
    expect(then?.initializer.map((tensor) => tensor.name)).toEqual(['y.axes_1']);
    expect(upgraded.initializer).toEqual([]);
  });

  it('refuses what changed its meaning, and only below the version that changed it', () => {
    expect(() => upgradeModel(old('GroupNormalization'))).toThrow(/operator set 21/);
    const recent = { ...old('GroupNormalization'), opsetImport: [{ domain: '', version: 21 }] };
    expect(upgradeModel(recent).graph.node).toEqual(recent.graph.node);
  });
});

describe('names', () => {
  const whole = old('Relu').graph;
  const inner = { ...whole, input: [] };
  const branch = { ...attribute('then_branch', 0), type: 5, g: inner };
  const conditional = { ...nodeProto('If', ['c'], ['out']), attribute: [branch] };

  it('sees what a subgraph takes from around it', () => {
    expect(readsOf(conditional)).toEqual(['c', 'x']);
    const closed = { ...conditional, attribute: [{ ...branch, g: whole }] };
    expect(readsOf(closed)).toEqual(['c']);
  });

  it('renames inside subgraphs', () => {
    const renamed = renameNode(conditional, new Map([['x', 'param:x']]));
    expect(renamed.attribute[0]?.g?.node[0]?.input).toEqual(['param:x']);
  });

  it('prunes nodes and initializers no output needs', () => {
    const graph = new GraphBuilder();
    graph.input({ name: 'x', dtype: 'F32', shape: [1] });
    const [used, unused] = [1, 2].map((value) =>
      graph.constant({ dtype: 'F32', shape: [], data: Float32Array.of(value) }),
    ) as [string, string];
    graph.op('Mul', ['x', unused], {}, 'dead');
    graph.op('Add', ['x', used], {}, 'y');
    graph.output({ name: 'y', dtype: 'F32', shape: [1] });
    const pruned = prune(graph.build('g')).graph;
    expect(pruned.node.map((node) => node.opType)).toEqual(['Add']);
    expect(pruned.initializer.map((tensor) => tensor.name)).toEqual([used]);
  });

  it('computes outputs under their own names, unless another output or an input is handed on', () => {
    const graph = new GraphBuilder();
    graph.input({ name: 'x', dtype: 'F32', shape: [1] });
    const sum = graph.op('Add', ['x', 'x']);
    const product = graph.op('Mul', [sum, sum]);
    for (const [from, to] of [
      [sum, 'y'],
      [product, 'z'],
      [product, 'again'],
      ['x', 'same'],
    ] as const) {
      graph.op('Identity', [from], {}, to);
      graph.output({ name: to, dtype: 'F32', shape: [1] });
    }
    const { node } = computeOutputsInPlace(graph.build('g')).graph;
    expect(node.map(({ opType, input, output }) => [opType, ...input, ...output])).toEqual([
      ['Add', 'x', 'x', 'y'],
      ['Mul', 'y', 'y', 'z'],
      ['Identity', 'z', 'again'],
      ['Identity', 'x', 'same'],
    ]);
  });
});
