import { readFileSync } from 'node:fs';
import { WireType } from '@bufbuild/protobuf/wire';
import { describe, expect, it } from 'vitest';
import { Fault } from '../../../core/errors.ts';
import { attribute } from '../../../core/onnx/attributes.ts';
import { GraphBuilder } from '../../../core/onnx/builder.ts';
import { checkModel } from '../../../core/onnx/check.ts';
import { withInitializers } from '../../../core/onnx/initializers.ts';
import { decodeModel, encodeModel, type Model } from '../../../core/onnx/model.ts';
import { MODEL, type GraphProto, type TensorProto } from '../../../core/onnx/proto.ts';
import { signatureOf } from '../../../core/onnx/signature.ts';
import { tensorProto, tensorValue } from '../../../core/onnx/tensor.ts';
import { encodeMessage, readMessage } from '../../../core/onnx/wire.ts';

const fixture = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../../fixtures/gradients/${name}.onnx`, import.meta.url)));

function faultOf(run: () => unknown): Fault {
  try {
    run();
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown;
    throw thrown;
  }
  throw new Error('nothing was thrown');
}

/** x → Relu → y, to be broken in one place. */
function small(): Model {
  const graph = new GraphBuilder(['y']);
  const x = graph.input({ name: 'x', dtype: 'F32', shape: ['batch', 2] });
  const w = graph.initializer('w', { dtype: 'F32', shape: [2], data: new Float32Array([1, 2]) });
  graph.op('Mul', [x, w], {}, 'h');
  graph.op('Relu', ['h'], {}, 'y');
  graph.output({ name: 'y', dtype: 'F32', shape: ['batch', 2] });
  return graph.build('small');
}

const withGraph = (change: Partial<GraphProto>): Model => {
  const model = small();
  return { ...model, graph: { ...model.graph, ...change } };
};

describe('ONNX codec', () => {
  it.each(['mlp_mnist', 'regressor_huber', 'cnn_lenet', 'gpt_tiny'])('round-trips %s', (name) => {
    const bytes = fixture(name);
    const model = decodeModel(bytes);
    const again = decodeModel(encodeModel(model));
    expect(again).toEqual(model);
    expect(encodeModel(again)).toEqual(encodeModel(model));
    // PyTorch writes the fields in order and none twice, so even the length is the same.
    expect(encodeModel(model)).toHaveLength(bytes.length);
  });

  it('keeps raw data as a view', () => {
    const bytes = fixture('mlp_mnist');
    const raw = decodeModel(bytes).graph.initializer[0]?.rawData;
    expect(raw?.buffer).toBe(bytes.buffer);
  });

  it('reads data that is not aligned in the file, out of a Buffer too, whose slice() does not copy', () => {
    const bytes = encodeModel(small());
    for (let shift = 0; shift < 4; shift++) {
      const file = Buffer.concat([new Uint8Array(shift), bytes]).subarray(shift);
      const [w] = decodeModel(file).graph.initializer;
      expect([...tensorValue(w!).data], `shifted by ${shift}`).toEqual([1, 2]);
    }
  });

  it('keeps fields it does not know', () => {
    // Field 25: functions, length-delimited (wire type 2), its bytes with their length before them.
    const bytes = encodeMessage(MODEL, {
      ...small(),
      unknown: [{ no: 25, wire: WireType.LengthDelimited, bytes: new Uint8Array([2, 10, 0]) }],
    });
    const again = readMessage(MODEL, bytes);
    expect(again.unknown).toEqual([
      { no: 25, wire: WireType.LengthDelimited, bytes: new Uint8Array([2, 10, 0]) },
    ]);
    expect(encodeMessage(MODEL, again)).toEqual(bytes);
  });

  it('refuses every proper prefix of a model that does not parse, with a Fault and nothing else', () => {
    const bytes = encodeModel(small());
    for (let length = 0; length < bytes.length; length++) {
      const fault = faultOf(() => decodeModel(bytes.slice(0, length)));
      expect(['invalid', 'unprocessable']).toContain(fault.code);
      expect(fault.field).toMatch(/^model/);
    }
  });

  it('survives random damage: a model or a Fault', () => {
    const bytes = encodeModel(small());
    for (let i = 0; i < bytes.length; i++) {
      for (const value of [0, 0x7f, 0xff]) {
        const damaged = bytes.slice();
        damaged[i] = value;
        try {
          decodeModel(damaged);
        } catch (thrown) {
          expect(thrown).toBeInstanceOf(Fault);
        }
      }
    }
  });

  it('refuses 2 GiB by the length alone, in and out', () => {
    const huge = { length: 2 ** 31 } as Uint8Array;
    const read = faultOf(() => decodeModel(huge));
    expect(read.message).toMatch(/2147483648 bytes: an ONNX file holds less than 2 GiB/);
    const [w] = small().graph.initializer;
    const half = { ...w!, rawData: { length: 2 ** 30 } as Uint8Array };
    const written = faultOf(() => encodeModel(withGraph({ initializer: [half, { ...half, name: 'v' }] })));
    expect(written.message).toMatch(/initializers have 2147483648 bytes/);
    expect([read.code, written.code]).toEqual(['too_large', 'too_large']);
  });

  it('refuses a field that says it is longer than the file, and takes no memory for it', () => {
    // Field 7, the graph: length-delimited, 2^31 - 1 bytes long, none of which follow.
    const fault = faultOf(() => decodeModel(Uint8Array.of((7 << 3) | 2, 0xff, 0xff, 0xff, 0xff, 0x07)));
    expect(fault.message).toMatch(/truncated/);
    expect([fault.code, fault.field]).toEqual(['invalid', 'model']);
  });

  it('refuses messages nested deeper than any model', () => {
    // A graph inside an attribute of a node, 100 times over.
    let bytes = encodeMessage(MODEL, small()).slice(0, 0);
    const wrap = (no: number, inner: Uint8Array) => {
      const length = inner.length;
      const size = [];
      for (let rest = length; ; rest >>>= 7) {
        size.push(rest > 127 ? (rest & 127) | 128 : rest);
        if (rest <= 127) break;
      }
      return new Uint8Array([(no << 3) | 2, ...size, ...inner]);
    };
    for (let i = 0; i < 100; i++) bytes = wrap(1, wrap(5, wrap(6, bytes)));
    expect(faultOf(() => decodeModel(wrap(7, bytes))).message).toMatch(/nested/);
  });
});

describe('model checks', () => {
  const [weight] = small().graph.initializer as [TensorProto];
  const withDimension = (dimValue: number) => {
    const [input] = small().graph.input;
    const dim = [{ dimValue, dimParam: '', denotation: '' }];
    return [{ ...input!, type: { denotation: '', tensorType: { elemType: 1, shape: { dim } } } }];
  };
  /** A Constant whose tensor is broken in one place. */
  const constantNode = (change: Partial<TensorProto>) => {
    const tensor = { ...attribute('value', { tensor: { ...weight, ...change } }) };
    return { ...small().graph.node[0]!, opType: 'Constant', input: [], output: ['c'], attribute: [tensor] };
  };
  const node = (input: string[], output: string[]) => ({ ...small().graph.node[0]!, input, output });
  const external: TensorProto = {
    ...small().graph.initializer[0]!,
    dataLocation: 1,
    externalData: [{ key: 'location', value: 'weights.bin' }],
  };
  it.each<[string, unknown, Fault['code'], string, RegExp]>([
    ['no graph', { ...small(), graph: undefined }, 'invalid', 'model.graph', /no graph/],
    ['no opset', { ...small(), opsetImport: [] }, 'invalid', 'model.opsetImport', /13 to 21/],
    [
      'an old opset',
      { ...small(), opsetImport: [{ domain: '', version: 12 }] },
      'unprocessable',
      'model.opsetImport',
      /set 12: 13 to 21/,
    ],
    [
      'a new opset',
      { ...small(), opsetImport: [{ domain: 'ai.onnx', version: 22 }] },
      'unprocessable',
      'model.opsetImport',
      /set 22/,
    ],
    [
      'external data',
      withGraph({ initializer: [external] }),
      'unprocessable',
      'model.graph.initializer.w',
      /another file/,
    ],
    [
      'an initializer without its data',
      withGraph({ initializer: [{ ...small().graph.initializer[0]!, dims: [3] }] }),
      'invalid',
      'model.graph.initializer.w',
      /needs 3 elements of F32, its data holds 2/,
    ],
    [
      'a negative dimension',
      withGraph({ initializer: [{ ...weight, dims: [-1, 2] }] }),
      'invalid',
      'model.graph.initializer.w',
      /initializer w has shape \[-1, 2\]: dimensions must not be negative/,
    ],
    [
      'more elements than can be counted',
      withGraph({ initializer: [{ ...weight, dataType: 10, dims: [2 ** 40, 2 ** 40] }] }),
      'invalid',
      'model.graph.initializer.w',
      /too many elements/,
    ],
    [
      'an initializer of no type',
      withGraph({ initializer: [{ ...weight, dataType: 0 }] }),
      'invalid',
      'model.graph.initializer.w',
      /initializer w has no element type/,
    ],
    [
      'an input of negative size',
      withGraph({ input: withDimension(-1) }),
      'invalid',
      'model.graph.input.x',
      /graph input x has the dimension -1: one of any size has a name/,
    ],
    [
      'two inputs of one name',
      withGraph({ input: [...small().graph.input, ...small().graph.input] }),
      'invalid',
      'model.graph.input.x',
      /two graph inputs called x/,
    ],
    [
      'two outputs of one name',
      withGraph({ output: [...small().graph.output, ...small().graph.output] }),
      'invalid',
      'model.graph.output.y',
      /two graph outputs called y/,
    ],
    [
      'a Constant with its data elsewhere',
      withGraph({ node: [constantNode({ dataLocation: 1 }), ...small().graph.node] }),
      'unprocessable',
      'model.graph.node[0]',
      /attribute value of Constant node c keeps its data in another file/,
    ],
    [
      'a Constant without its data',
      withGraph({ node: [constantNode({ dims: [5] }), ...small().graph.node] }),
      'invalid',
      'model.graph.node[0]',
      /needs 5 elements of F32, its data holds 2/,
    ],
    [
      'two initializers of one name',
      withGraph({ initializer: [...small().graph.initializer, ...small().graph.initializer] }),
      'invalid',
      'model.graph.initializer',
      /two initializers/,
    ],
    ['a missing initializer', withGraph({ initializer: [] }), 'invalid', 'model.graph.node[0]', /reads w/],
    [
      'a cycle',
      withGraph({ node: [node(['x', 'b'], ['a']), node(['a', 'x'], ['b']), node(['b', 'x'], ['y'])] }),
      'invalid',
      'model.graph.node[0]',
      /cycle/,
    ],
    [
      'a value written twice',
      withGraph({ node: [...small().graph.node, node(['x', 'w'], ['y'])] }),
      'invalid',
      'model.graph.node[2]',
      /exists already/,
    ],
    ['an output nobody computes', withGraph({ node: [] }), 'invalid', 'model.graph.output', /computes .* y/],
    ['no outputs', withGraph({ output: [] }), 'invalid', 'model.graph.output', /no outputs/],
  ])('refuse %s', (_, model, code, field, message) => {
    const fault = faultOf(() => checkModel(model as Model));
    expect(fault.message).toMatch(message);
    expect([fault.code, fault.field]).toEqual([code, field]);
  });
});

describe('signature and initializers', () => {
  it('lists inputs without initializers, and symbolic dimensions by name', () => {
    const model = small();
    const declared = { ...model.graph.input[0]!, name: 'w' };
    const old: Model = { ...model, graph: { ...model.graph, input: [...model.graph.input, declared] } };
    expect(signatureOf(old)).toEqual({
      inputs: [{ name: 'x', dtype: 'F32', shape: ['batch', 2] }],
      outputs: [{ name: 'y', dtype: 'F32', shape: ['batch', 2] }],
    });
  });

  it('replaces values and nothing else', () => {
    const model = small();
    const changed = withInitializers(model, new Map([['w', new Float32Array([5, 6])]]));
    expect(tensorValue(changed.graph.initializer[0]!).data).toEqual(new Float32Array([5, 6]));
    expect(changed.graph.node).toBe(model.graph.node);
    expect(faultOf(() => withInitializers(model, new Map([['v', new Float32Array(2)]]))).field).toBe('v');
    expect(faultOf(() => withInitializers(model, new Map([['w', new Float32Array(3)]]))).field).toBe('w');
  });

  it('reads raw and typed data alike', () => {
    const value = { dtype: 'I8', shape: [3], data: new Int8Array([-1, 0, 127]) } as const;
    const proto = tensorProto('t', value);
    expect(tensorValue(proto)).toEqual(value);
    const { rawData: _, ...typed } = { ...proto, int32Data: [-1, 0, 127] };
    expect(tensorValue(typed)).toEqual(value);
    const { rawData: __, ...wide } = {
      ...tensorProto('t', { dtype: 'I64', shape: [1], data: new BigInt64Array([-5n]) }),
      int64Data: [-5n],
    };
    expect(tensorValue(wide).data).toEqual(new BigInt64Array([-5n]));
    expect(faultOf(() => tensorValue({ ...proto, dataType: 10 })).message).toMatch(/element type 10/);
  });
});
