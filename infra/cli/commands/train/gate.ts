import { InvalidArgumentError } from 'commander';
import { type Gate, MetricName } from '../../../../core/contracts/metric.ts';

/** `0.97` is an accuracy of at least that; otherwise `<metric>>=<x>` or `<metric><=<x>`. */
export function gate(text: string): Gate {
  const [, name = 'accuracy', sign = '>=', figure = ''] = /^(?:(\w+)\s*(>=|<=)\s*)?(\S+)$/.exec(text) ?? [];
  const metric = MetricName.options.find((each) => each === name);
  const value = Number(figure);
  if (metric === undefined || figure === '' || !Number.isFinite(value))
    throw new InvalidArgumentError(
      `It must be an accuracy, or a metric (${MetricName.options.join(', ')}), >= or <=, and a number.`,
    );
  return sign === '>=' ? { metric, atLeast: value } : { metric, atMost: value };
}
