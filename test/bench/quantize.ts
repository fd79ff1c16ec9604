/**
 * `npm run bench:quantize`: what 8-bit weights do to a file's size, to the time of a run in ONNX Runtime's WASM build
 * (one thread, as in a Worker; here in Node, the same V8 and the same file), and to the answers.
 */
import * as ort from 'onnxruntime-web/wasm';
import { encodeModel } from '../../core/onnx/model.ts';
import { quantize } from '../../core/onnx/quantize.ts';
import { median } from '../../core/median.ts';
import { createRandom } from '../../core/random.ts';
import { elementCount } from '../../core/tensors/tensor.ts';
import { percent, table } from '../../infra/cli/output.ts';
import { SUBJECTS } from './quantize-models.ts';

const BATCHES = [1, 16];
/** The two files are run by turns, so that whatever else the machine does meets both alike. */
const TURNS = 15;
const TURN_MS = 60;

ort.env.wasm.numThreads = 1;

const create = (file: Uint8Array<ArrayBuffer>) =>
  ort.InferenceSession.create(file, { executionProviders: ['wasm'], logSeverityLevel: 4 });

/** Mean milliseconds of one run. */
async function turn(session: ort.InferenceSession, feeds: Record<string, ort.Tensor>): Promise<number> {
  const began = performance.now();
  let runs = 0;
  while (performance.now() - began < TURN_MS) {
    await session.run(feeds);
    runs += 1;
  }
  return (performance.now() - began) / runs;
}

const rows: (string | number)[][] = [];
for (const { name, model, input } of SUBJECTS) {
  const { model: quantized, rewritten } = quantize(model);
  const files = [encodeModel(model), encodeModel(quantized)] as const;
  const fp32 = await create(files[0]);
  const int8 = await create(files[1]);
  const output = fp32.outputNames[0]!;
  for (const batch of BATCHES) {
    const random = createRandom(batch);
    const shape = [batch, ...input];
    const data = Float32Array.from({ length: elementCount(shape) }, () => random.uniform());
    const feeds = { x: new ort.Tensor('float32', data, shape) };
    const expected = (await fp32.run(feeds))[output]!.data as Float32Array;
    const actual = (await int8.run(feeds))[output]!.data as Float32Array;
    const largest = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const difference = expected.reduce((most, value, i) => Math.max(most, Math.abs(value - actual[i]!)), 0);
    const times: { fp32: number; int8: number }[] = [];
    for (let i = 0; i <= TURNS; i++) {
      const pair = { fp32: await turn(fp32, feeds), int8: await turn(int8, feeds) };
      // The first turn warms up.
      if (i > 0) times.push(pair);
    }
    rows.push([
      name,
      batch,
      rewritten,
      (files[0].length / 1024).toFixed(0),
      percent(files[1].length / files[0].length),
      median(times.map((each) => each.fp32))!.toFixed(3),
      median(times.map((each) => each.int8))!.toFixed(3),
      median(times.map((each) => each.int8 / each.fp32))!.toFixed(2),
      (difference / largest).toFixed(4),
    ]);
  }
  await fp32.release();
  await int8.release();
}

console.log(`${ort.env.versions.web ?? ort.env.versions.common} (onnxruntime-web, WASM, 1 thread)`);
console.log(
  table(
    [
      'MODEL',
      'BATCH',
      'NODES',
      'FP32 KIB',
      'INT8 SIZE',
      'FP32 MS',
      'INT8 MS',
      'INT8/FP32',
      'LARGEST DIFFERENCE',
    ],
    rows,
  ),
);
console.log('the largest difference is relative to the largest output');
