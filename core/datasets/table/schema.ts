/** What a table's columns are, by the first rows and by what was asked for. */
import { Fault } from '../../errors.ts';
import type { TableOptions } from './options.ts';
import { type Cell, type Table, TABLE_BATCH } from './table.ts';

export type ColumnType =
  | { readonly kind: 'number' }
  | { readonly kind: 'category' }
  | { readonly kind: 'tensor'; readonly shape: readonly number[] };

export interface TableColumn {
  readonly name: string;
  /** Its number in the table. */
  readonly at: number;
  readonly type: ColumnType;
}

export interface TableSchema {
  readonly features: readonly TableColumn[];
  readonly target: TableColumn | undefined;
}

/**
 * A column is numbers if one of its first cells is one: words further down are then wrong. It is texts to be numbered
 * if none is.
 * @throws Fault `invalid` for a column that is not there, or that is neither numbers nor texts
 */
export async function tableSchema(table: Table, options: TableOptions): Promise<TableSchema> {
  const { target, features, drop, categories } = options;
  const missing = [target, ...(features ?? []), ...drop, ...categories].find(
    (name) => name !== undefined && !table.columns.includes(name),
  );
  if (missing !== undefined)
    throw new Fault('invalid', `${table.name}: no column ${missing}; it has ${table.columns.join(', ')}`, {
      field: missing === target ? 'target' : 'columns',
    });
  const wanted = features ?? table.columns.filter((name) => name !== target);
  const read = wanted.filter((name) => !drop.includes(name));
  if (read.length === 0) throw new Fault('invalid', `${table.name}: no column is left as a feature`);
  const sample = await firstCells(table, [...read, ...(target === undefined ? [] : [target])]);
  const columnOf = (name: string): TableColumn => {
    const isText = categories.includes(name);
    const type: ColumnType = isText ? { kind: 'category' } : typeOf(table, name, sample.get(name)!, options);
    return { name, at: table.columns.indexOf(name), type };
  };
  return { features: read.map(columnOf), target: target === undefined ? undefined : columnOf(target) };
}

/** Of each column the cells of the first batch that are not missing. */
async function firstCells(table: Table, names: readonly string[]): Promise<Map<string, Cell[]>> {
  const cells = new Map<string, Cell[]>(names.map((name) => [name, []]));
  for await (const batch of table.read(() => {})) {
    for (const [name, seen] of cells) {
      const at = table.columns.indexOf(name);
      for (let row = 0; row < Math.min(batch.rows, TABLE_BATCH); row++)
        if (!batch.wrong.has(row)) seen.push(batch.cell(row, at));
    }
    break;
  }
  return cells;
}

function typeOf(table: Table, name: string, sample: readonly Cell[], { missing }: TableOptions): ColumnType {
  const there = sample.filter((cell) => !isMissing(cell, missing));
  const [first] = there;
  if (Array.isArray(first)) return { kind: 'tensor', shape: shapeOf(first) };
  if (typeof first === 'object')
    throw new Fault(
      'invalid',
      `${table.name}: column ${name} holds ${first instanceof Date ? 'dates' : 'objects'}, which are no numbers: leave it out with --drop ${name}`,
      { field: 'drop' },
    );
  if (typeof first !== 'string') return { kind: 'number' };
  const isNumeric = table.textual && there.some((cell) => Number.isFinite(Number(cell)));
  return isNumeric ? { kind: 'number' } : { kind: 'category' };
}

/** By the first elements; that others agree is seen row by row. */
function shapeOf(cell: readonly Cell[]): number[] {
  const [first] = cell;
  return [cell.length, ...(Array.isArray(first) ? shapeOf(first) : [])];
}

export const isMissing = (cell: Cell, missing: readonly string[]): boolean =>
  cell === null || cell === undefined || cell === '' || (typeof cell === 'string' && missing.includes(cell));
