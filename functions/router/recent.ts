/** The last decisions and what came of them, in a ring: the path of a request writes one reference. */
import type { RoutingView } from '../../core/contracts/routing.ts';
import type { VariantName } from '../../core/registry/variant-names.ts';
import type { Reason } from '../../core/routing/policy.ts';
import type { TargetId } from '../../core/routing/targets.ts';

/** As the contract of `GET /v1/routing` has it. */
const KEPT = 50;
/** A client chooses the name; one that is no model's may be long. */
const NAME_LENGTH = 64;

export interface Routed {
  /** Unix milliseconds. */
  readonly at: number;
  readonly model: string;
  readonly target: TargetId;
  readonly reason: Reason;
  readonly predictedMs: number | null;
  readonly actualMs: number;
  readonly status: number;
  readonly variant: VariantName | null;
}

export function createRecent() {
  const ring: Routed[] = [];
  let added = 0;
  return {
    add(routed: Routed): void {
      ring[added % KEPT] = routed;
      added += 1;
    },
    newestFirst(): RoutingView['recent'] {
      return ring.map((_, age) => {
        const { at, model, ...rest } = ring[(added - 1 - age) % KEPT]!;
        return { at: new Date(at).toISOString(), model: model.slice(0, NAME_LENGTH), ...rest };
      });
    },
  };
}
