/**
 * Where a target serves several variants of a model, each is a target of its own to choose from: its latency is
 * learned apart. Everything else they share, for they are one isolate: requests in flight, lanes, health, network.
 */
import { isLessExact, type VariantName } from '../registry/variant-names.ts';
import type { TargetId } from './targets.ts';

export interface TargetVariant {
  readonly id: TargetId;
  readonly name: VariantName;
  /** The target that serves it. */
  readonly host: TargetId;
  /** What the host serves when nobody asks for a variant. */
  readonly isUsual: boolean;
  /** Less exact than the usual one: for when nothing else is in time. */
  readonly isDegraded: boolean;
}

/**
 * @param names that the host serves of a model, most wanted first
 * @returns in this order; empty where there is no choice: then the host is the target
 */
export function variantsOf(host: TargetId, names: readonly VariantName[]): readonly TargetVariant[] {
  const [usual] = names;
  if (usual === undefined || names.length === 1) return [];
  return names.map((name) => ({
    id: `${host}-${name}`,
    name,
    host,
    isUsual: name === usual,
    isDegraded: isLessExact(name, usual),
  }));
}

interface MayBeVariant {
  readonly id: TargetId;
  readonly variant?: TargetVariant | undefined;
}

/** What is served where nobody asks for anything else. */
export const isUsual = ({ variant }: Pick<MayBeVariant, 'variant'>): boolean => variant?.isUsual ?? true;

export const hostOf = ({ id, variant }: MayBeVariant): TargetId => variant?.host ?? id;

/**
 * What a latency is learned by. The usual variant goes by the model alone: nothing is forgotten when a second one
 * comes or goes.
 */
export const learningKey = (model: string, variant: TargetVariant | undefined): string =>
  variant === undefined || variant.isUsual ? model : `${model}#${variant.name}`;
