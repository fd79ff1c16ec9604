import type { DatasetTensor } from '../../contracts/dataset.ts';
import type { LossSpec } from '../../contracts/loss.ts';
import type { LossColumns } from './loss.ts';
import { refusal } from './shapes.ts';

/** The dataset tensors that a loss names. @throws Fault `unprocessable` where there is no such tensor */
export function lossColumns(loss: LossSpec, tensors: Readonly<Record<string, DatasetTensor>>): LossColumns {
  if (loss.kind === 'output') return {};
  const column = (part: 'target' | 'mask', name: string): DatasetTensor => {
    const described = tensors[name];
    if (described !== undefined) return described;
    throw refusal(part, `the dataset has no tensor ${name}; it has ${Object.keys(tensors).join(', ')}`);
  };
  return {
    target: column('target', loss.target),
    mask: loss.mask === undefined ? undefined : column('mask', loss.mask),
  };
}
