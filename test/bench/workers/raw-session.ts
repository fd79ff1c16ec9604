/**
 * Bench only, never deployed: times `session.run` alone, in the same workerd and on the same ONNX Runtime as the
 * inference Worker, so that a benchmark can tell what everything around it costs.
 *
 * `POST /?runs=N&input=NAME&shape=1,784` with an ONNX file as body: runs it N times on an FP32 input of halves and
 * answers `{runs, totalMs}`. The clock of a local workerd moves during computation, in whole milliseconds: ask for
 * enough runs. (In production it stands still: this Worker would be of no use there.)
 */
import { createSession, ort } from '../../../functions/inference/ort.ts';

const whole = (text: string | null, fallback: number): number => {
  const value = text === null ? fallback : Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`not a positive integer: ${text}`);
  return value;
};

export default {
  async fetch(request: Request): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const runs = whole(searchParams.get('runs'), 1_000);
    const shape = (searchParams.get('shape') ?? '1,784').split(',').map((text) => whole(text, 1));
    const input = searchParams.get('input') ?? 'image';
    const session = await createSession(new Uint8Array(await request.arrayBuffer()));
    try {
      const data = new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(0.5);
      const once = () => session.run({ [input]: new ort.Tensor('float32', data, shape) });
      for (let i = 0; i < 100; i++) await once();
      const startedAt = performance.now();
      for (let i = 0; i < runs; i++) await once();
      return Response.json({ runs, totalMs: performance.now() - startedAt });
    } finally {
      await session.release();
    }
  },
};
