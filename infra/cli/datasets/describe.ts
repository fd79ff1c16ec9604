import type { ColumnStatistics, DatasetManifest, LeftOutRows } from '../../../core/contracts/dataset.ts';
import { listed } from '../../../core/datasets/bad-rows.ts';
import { count, table } from '../output.ts';

/** Wider tables are of no use on a terminal; the manifest has all. */
const SHOWN_COLUMNS = 20;
const SHOWN_LABELS = 5;

/** One line for people. */
export function describe({ name, version, splits, tensors }: DatasetManifest): string {
  const rows = Object.entries(splits).map(([split, { rows, shards }]) => {
    return `${count(rows)} ${split} rows in ${shards.length} shards`;
  });
  const columns = Object.entries(tensors).map(([tensor, { dtype, shape }]) => {
    return `${tensor} ${dtype} [${shape.join(', ')}]`;
  });
  return `dataset ${name} version ${version}: ${rows.join(', ')}; ${columns.join(', ')}`;
}

/** Columns and their statistics over the first split, which is the one that is trained on. */
export function columnTable({ columns = [], splits }: DatasetManifest): string {
  const [first] = Object.keys(splits);
  const statistics = first === undefined ? undefined : splits[first]?.statistics;
  if (columns.length === 0 || statistics === undefined) return '';
  const rows = columns
    .slice(0, SHOWN_COLUMNS)
    .map(({ name, tensor, element, kind, nulls, labels, classes }) => {
      const place = element === undefined ? tensor : `${tensor}[${element}]`;
      const what = kind === 'number' ? kind : `${classes ?? 0} classes${some(labels)}`;
      return [name, place, what, nulls, ...figures(statistics[name])];
    });
  const header = ['COLUMN', 'TENSOR', 'WHAT', 'NULLS', 'MIN', 'MAX', 'MEAN', 'STD'];
  const more = columns.length - rows.length;
  return `${table(header, rows)}${more === 0 ? '' : `\nand ${more} more columns`}`;
}

function some(labels: readonly string[] | undefined): string {
  if (labels === undefined) return '';
  const shown = labels.slice(0, SHOWN_LABELS).map((label) => JSON.stringify(label));
  return `: ${shown.join(', ')}${labels.length > SHOWN_LABELS ? ' …' : ''}`;
}

const short = (value: number) => Number(value.toPrecision(5));

const figures = (of: ColumnStatistics | undefined): readonly (string | number)[] =>
  of === undefined ? ['', '', '', ''] : [of.min, of.max, of.mean, of.std].map(short);

/** For people: how many rows were left out, and which were the first. */
export function leftOut(rows: LeftOutRows): string {
  return `left out ${count(rows.count)} ${rows.count === 1 ? 'row' : 'rows'} that cannot be read:\n${listed(rows)}`;
}
