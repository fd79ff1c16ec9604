import type { Spent, Usage } from '../contracts/usage.ts';
import { dollars, PRICES, type Prices } from './prices.ts';
import { addUsage } from './usage.ts';

/** @param parts those that are known */
export function spentIn(
  { prices = PRICES.s3 }: { readonly prices?: Prices | undefined },
  parts: readonly (Usage | undefined)[],
): Spent {
  const usage = addUsage(...parts.filter((part) => part !== undefined));
  return { ...usage, dollars: dollars(usage, prices) };
}
