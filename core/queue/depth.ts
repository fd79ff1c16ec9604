/** How many messages a queue holds: what a queue service tells of itself. Approximate, as SQS's own figures are. */

export interface QueueDepth {
  /** That could be received now. */
  readonly visible: number;
  /** Received, and neither deleted nor visible again. */
  readonly inFlight: number;
  /** Not yet to be received. */
  readonly delayed: number;
}

/** @throws Fault `unavailable` */
export type ReadDepth = () => Promise<QueueDepth>;
