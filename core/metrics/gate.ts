import type { Gate } from '../contracts/metric.ts';
import type { Metrics } from '../contracts/primitives.ts';

/** @returns why the gate lets nothing through; undefined where it does, or where there is none */
export function gateReason(gate: Gate | undefined, metrics: Metrics): string | undefined {
  if (gate === undefined) return undefined;
  const value = metrics[gate.metric];
  const [passes, bound] =
    'atLeast' in gate
      ? [value !== undefined && value >= gate.atLeast, `at least ${gate.atLeast}`]
      : [value !== undefined && value <= gate.atMost, `at most ${gate.atMost}`];
  if (passes) return undefined;
  return `${gate.metric} is ${value ?? 'unknown'}, the gate asks for ${bound}`;
}
