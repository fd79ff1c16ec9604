import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { Fault } from '../../../core/errors.ts';
import { decodeModel, encodeModel } from '../../../core/onnx/model.ts';
import { quantize } from '../../../core/onnx/quantize.ts';
import { modelFile } from '../model-file.ts';
import { count, percent } from '../output.ts';

/** Local: it needs no running stack. */
export function quantizeCommand(): Command {
  return new Command('quantize')
    .description('write an ONNX file anew with 8-bit weights')
    .argument('<in.onnx>')
    .argument('<out.onnx>')
    .action(async (from: string, to: string) => {
      const file = await modelFile(from, 'in.onnx');
      const { model, rewritten } = quantize(decodeModel(file));
      if (rewritten === 0)
        throw new Fault('unprocessable', `${from} has no weight that is large enough to gain from 8 bits`);
      const written = encodeModel(model);
      await writeFile(to, written);
      const share = percent(written.length / file.length);
      console.log(`${to}: ${rewritten} nodes in 8 bits, ${count(written.length)} bytes, ${share} of ${from}`);
    });
}
