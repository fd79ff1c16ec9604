/**
 * Bench only, never deployed: inference without anything around it. `PUT /` loads an ONNX file; `POST /` takes an Open
 * Inference Protocol request with one FP32 input, unchecked, and answers its outputs. What the real pair of Workers
 * takes more is the price of releases, validation, routing and telling.
 */
import { createSession, ort } from '../../../functions/inference/ort.ts';

interface InferBody {
  readonly inputs: readonly [
    { readonly name: string; readonly shape: readonly number[]; readonly data: readonly number[] },
  ];
}

const loaded: { session?: ort.InferenceSession } = {};

export default {
  async fetch(request: Request): Promise<Response> {
    if (request.method === 'PUT') {
      loaded.session = await createSession(new Uint8Array(await request.arrayBuffer()));
      return new Response(null, { status: 204 });
    }
    const { session } = loaded;
    if (session === undefined) return new Response('no model', { status: 409 });
    const { name, shape, data } = ((await request.json()) as InferBody).inputs[0];
    const results = await session.run({ [name]: new ort.Tensor('float32', Float32Array.from(data), shape) });
    const outputs = Object.entries(results).map(([output, { dims, data: values }]) => {
      return { name: output, datatype: 'FP32', shape: dims, data: Array.from(values as Float32Array) };
    });
    return Response.json({ outputs });
  },
};
