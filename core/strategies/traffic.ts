/** Bytes that a round's tasks exchange, from the sizes of its objects: the same however often they were done. */
import type { Part, RoundShard, Traffic } from '../contracts/job.ts';

export interface RoundTraffic {
  readonly shards: readonly RoundShard[];
  /** Of what each of them started from. */
  readonly startBytes: number;
  /** What each shard of the job kept before the round, null: nothing. */
  readonly residuals: readonly (Part | null)[] | undefined;
  readonly mergeRead: number;
  readonly mergeWritten: number;
}

export function trafficOf({ shards, startBytes, residuals, mergeRead, mergeWritten }: RoundTraffic): Traffic {
  const sum = (of: (each: RoundShard) => number) => shards.reduce((total, each) => total + of(each), 0);
  return {
    up: sum(({ bytes = 0, residual }) => bytes + (residual?.bytes ?? 0)),
    down: sum(({ shard }) => startBytes + (residuals?.[shard]?.bytes ?? 0)),
    mergeRead,
    mergeWritten,
  };
}

/** Of several rounds; null where one of them was not counted. */
export function sumTraffic(rounds: readonly (Traffic | undefined)[]): Traffic | null {
  const total = { up: 0, down: 0, mergeRead: 0, mergeWritten: 0 };
  for (const each of rounds) {
    if (each === undefined) return null;
    total.up += each.up;
    total.down += each.down;
    total.mergeRead += each.mergeRead;
    total.mergeWritten += each.mergeWritten;
  }
  return total;
}
