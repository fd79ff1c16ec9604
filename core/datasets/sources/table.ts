/**
 * A table as tensors: scalar features side by side in `features`, in the order of the columns; a column of arrays as a
 * tensor of its own name; the target as `label`.
 */
import type { DatasetColumn, DatasetTensor } from '../../contracts/dataset.ts';
import { Fault } from '../../errors.ts';
import { elementCount } from '../../tensors/tensor.ts';
import { type Column, columns } from '../columns.ts';
import { type Batch, type DatasetSource, tensorName } from '../source.ts';
import { columnEncoder, type ColumnEncoder } from '../table/encoder.ts';
import type { TableOptions } from '../table/options.ts';
import { tableSchema } from '../table/schema.ts';
import type { Table, TableBatch } from '../table/table.ts';

const FEATURES = 'features';
const LABEL = 'label';

/** One tensor, and what of the table is in it. */
interface Part {
  readonly tensor: string;
  readonly spec: DatasetTensor;
  readonly encoders: readonly ColumnEncoder[];
}

/** @throws Fault `invalid` where the columns are not as the options say */
export async function tableSource(table: Table, options: TableOptions): Promise<DatasetSource> {
  const { features, target } = await tableSchema(table, options);
  const { dtype, divisor } = options;
  const scaled = divisor === undefined ? {} : { divisor };
  const scalars = features.filter(({ type }) => type.kind !== 'tensor');
  const parts: Part[] = [];
  if (scalars.length > 0) {
    const encoders = scalars.map((column) => columnEncoder(column, dtype, options));
    parts.push({ tensor: FEATURES, spec: { dtype, shape: [scalars.length], ...scaled }, encoders });
  }
  for (const column of features) {
    if (column.type.kind !== 'tensor') continue;
    const spec = { dtype, shape: [...column.type.shape], ...scaled };
    parts.push({ tensor: tensorName(column.name), spec, encoders: [columnEncoder(column, dtype, options)] });
  }
  if (target !== undefined) {
    const isClass = options.targetKind === 'class';
    const labelType = isClass ? 'I32' : options.dtype === 'F64' ? 'F64' : 'F32';
    const encoder = columnEncoder(target, labelType, { ...options, fill: undefined, isClass });
    const shape = target.type.kind === 'tensor' ? [...target.type.shape] : [];
    parts.push({ tensor: LABEL, spec: { dtype: labelType, shape }, encoders: [encoder] });
  }
  checkNames(table, parts);
  let isSettled = false;
  return {
    bytes: table.bytes,
    ...(table.splits === undefined ? {} : { splits: table.splits }),
    tensors: Object.fromEntries(parts.map(({ tensor, spec }) => [tensor, spec])),
    async *read(onRead) {
      for await (const batch of table.read(onRead))
        if (batch.rows > 0) yield encode(parts, batch, !isSettled);
    },
    settle() {
      if (!isSettled) for (const { encoders } of parts) for (const encoder of encoders) encoder.settle();
      isSettled = true;
      return parts.flatMap(describe);
    },
  };
}

function checkNames(table: Table, parts: readonly Part[]): void {
  const names = parts.map(({ tensor }) => tensor);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined)
    throw new Fault(
      'invalid',
      `${table.name}: two columns would be tensor ${twice}: leave one out with --drop`,
      {
        field: 'drop',
      },
    );
}

/** @param count whether missing values are counted: once, at the first reading */
function encode(parts: readonly Part[], batch: TableBatch, count: boolean): Batch {
  const wrong = new Map(batch.wrong);
  const made = parts.map(({ tensor, spec, encoders }): readonly [string, Column] => {
    const width = elementCount(spec.shape);
    const each = width / encoders.length;
    const data = encoders[0]!.array(batch.rows * width);
    encoders.forEach((encoder, at) => {
      const put = encoder.into(data);
      for (let row = 0; row < batch.rows; row++) {
        if (wrong.has(row)) continue;
        const reason = put(batch.cell(row, encoder.column.at), row * width + at * each);
        if (reason !== undefined) wrong.set(row, `column ${encoder.column.name}: ${reason}`);
      }
    });
    return [tensor, { spec, data }];
  });
  if (count) countNulls(parts, batch, wrong);
  const split = batch.split === undefined ? {} : { split: batch.split };
  return { rows: columns(Object.fromEntries(made)), wrong, placeOf: (row) => batch.placeOf(row), ...split };
}

/** Of the rows that are good, which is known only when all columns were looked at. */
function countNulls(parts: readonly Part[], batch: TableBatch, wrong: ReadonlyMap<number, string>): void {
  for (const { encoders } of parts)
    for (const encoder of encoders)
      if (encoder.mayFill)
        for (let row = 0; row < batch.rows; row++)
          if (!wrong.has(row)) encoder.count(batch.cell(row, encoder.column.at));
}

function describe({ tensor, encoders, spec }: Part): DatasetColumn[] {
  return encoders.map((encoder, element) => {
    const place = tensor === FEATURES && spec.shape.length === 1 ? { element } : {};
    const labels = encoder.labels();
    const kind = labels !== undefined || encoder.isClass ? 'class' : 'number';
    const classes = labels === undefined ? {} : { labels, classes: labels.length };
    return { name: encoder.column.name, tensor, ...place, kind, nulls: encoder.nulls(), ...classes };
  });
}
