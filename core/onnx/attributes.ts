/** Reading and writing node attributes. */
import { Fault } from '../errors.ts';
import { nodeLabel } from './check.ts';
import { ATTRIBUTE, type AttributeProto, type NodeProto, type TensorProto } from './proto.ts';

/** A number is an INT, which is what nearly all are; a FLOAT says so. */
export type AttributeValue =
  number | string | readonly number[] | { readonly float: number } | { readonly tensor: TensorProto };

export type Attributes = Readonly<Record<string, AttributeValue>>;

const EMPTY = { floats: [], ints: [], strings: [], tensors: [], graphs: [], docString: '', refAttrName: '' };

export function attribute(name: string, value: AttributeValue): AttributeProto {
  const base = { ...EMPTY, name };
  if (typeof value === 'number') return { ...base, type: ATTRIBUTE.INT, i: BigInt(value) };
  if (typeof value === 'string')
    return { ...base, type: ATTRIBUTE.STRING, s: new TextEncoder().encode(value) };
  if ('float' in value) return { ...base, type: ATTRIBUTE.FLOAT, f: value.float };
  if ('tensor' in value) return { ...base, type: ATTRIBUTE.TENSOR, t: value.tensor };
  return { ...base, type: ATTRIBUTE.INTS, ints: value.map(BigInt) };
}

const find = (node: NodeProto, name: string) => node.attribute.find((each) => each.name === name);

function missing(node: NodeProto, name: string, kind: string): Fault {
  return new Fault('invalid', `${nodeLabel(node)} needs the ${kind} attribute ${name}`, { field: name });
}

/** @throws Fault `invalid` where the attribute is absent and has no default */
export function intAttribute(node: NodeProto, name: string, fallback?: number): number {
  const found = find(node, name);
  if (found === undefined && fallback !== undefined) return fallback;
  if (found === undefined) throw missing(node, name, 'integer');
  return Number(found.i ?? 0n);
}

export function floatAttribute(node: NodeProto, name: string, fallback: number): number {
  const found = find(node, name);
  return found === undefined ? fallback : (found.f ?? 0);
}

export function stringAttribute(node: NodeProto, name: string, fallback: string): string {
  const found = find(node, name);
  return found === undefined ? fallback : new TextDecoder().decode(found.s ?? new Uint8Array(0));
}

/** undefined where the attribute is absent. */
export function intsAttribute(node: NodeProto, name: string): readonly number[] | undefined {
  return find(node, name)?.ints.map(Number);
}

export function tensorAttribute(node: NodeProto, name: string): TensorProto | undefined {
  return find(node, name)?.t;
}
