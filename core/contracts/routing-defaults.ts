/** What a release says about where its requests go, for those that do not say it themselves. See docs/routing.md. */
import { z } from 'zod';
import { VARIANT_NAMES } from '../registry/variant-names.ts';

/** A place, or a target of a deployment by its name: `edge`, `cloud`, `edge-int8`, `cloud-eu`. */
export const TargetPattern = z
  .string()
  .regex(
    /^(edge|cloud)(-(?!only$)[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?)?$/,
    'must be edge, cloud, or one of these with the name of a variant or a region: edge-int8, cloud-eu',
  );

export const RoutingDefaults = z
  .strictObject({
    /** Where requests go that name no target; nothing where a deployment has no such target. */
    target: TargetPattern.optional(),
    /** Where none of them goes, whatever it asks for: for data that must not leave a place. */
    exclude: z.array(TargetPattern).min(1).max(16).optional(),
    deadlineMs: z.int().min(1).max(600_000).optional(),
    /** Money for one request, in millionths of a US dollar. */
    costCeiling: z.number().min(0).max(1e9).optional(),
    /** Served where a target has the choice; a less exact one then is for when nothing else is in time. */
    variant: z.enum(VARIANT_NAMES).optional(),
  })
  .refine(({ target, exclude = [] }) => target === undefined || !exclude.includes(target), {
    path: ['target'],
    message: 'must not be excluded as well',
  })
  .refine(({ exclude = [] }) => !(exclude.includes('edge') && exclude.includes('cloud')), {
    path: ['exclude'],
    message: 'must leave the edge or the cloud',
  });
/** As it is written. */
export type RoutingDefaults = z.infer<typeof RoutingDefaults>;
