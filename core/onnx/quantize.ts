/**
 * Dynamic quantisation: a float32 graph with its large weights as 8-bit integers, a quarter of the size. Activations
 * are quantised while the graph runs, by the range each tensor has then, so no calibration data is needed.
 *
 * Inputs, outputs and their names stay, and so does every value in between that is still computed. That a tensor has
 * one range means that the rows of a batch share it: a row's answer depends a little on the rows beside it.
 */
import { checkModel, isDefaultDomain } from './check.ts';
import type { Model } from './model.ts';
import { prune } from './names.ts';
import { startRewriting } from './quantize/rewriter.ts';
import { RULES } from './quantize/rules.ts';

export interface QuantizeOptions {
  /**
   * Elements a weight must have, default 4096: below, the time to quantise its input and the error that costs buy
   * next to nothing (16 KiB).
   */
  readonly minElements?: number;
}

export interface Quantized {
  readonly model: Model;
  /** How many nodes were rewritten; 0: the model is as it was. */
  readonly rewritten: number;
}

const MIN_ELEMENTS = 4096;

/** Pure, and the same model gives the same bytes. Operators without a rule, and those in subgraphs, stay in float32. */
export function quantize(model: Model, { minElements = MIN_ELEMENTS }: QuantizeOptions = {}): Quantized {
  const rewriting = startRewriting(model, minElements);
  let rewritten = 0;
  for (const node of model.graph.node) {
    const rule = isDefaultDomain(node.domain) ? RULES[node.opType] : undefined;
    if (rule?.(node, rewriting) === true) rewritten += 1;
    else rewriting.nodes.push(node);
  }
  if (rewritten === 0) return { model, rewritten };
  const { graph } = model;
  const written = prune({
    ...model,
    graph: {
      ...graph,
      node: rewriting.nodes,
      initializer: [...graph.initializer, ...rewriting.initializers],
    },
  });
  return { model: checkModel({ ...written, graph: withoutOrphans(model, written) }), rewritten };
}

/** An old-style constant is declared an input too: without its initializer it would become one to feed. */
function withoutOrphans({ graph: before }: Model, { graph }: Model): Model['graph'] {
  const left = new Set(graph.initializer.map(({ name }) => name));
  const gone = new Set(before.initializer.map(({ name }) => name).filter((name) => !left.has(name)));
  return { ...graph, input: graph.input.filter(({ name }) => !gone.has(name)) };
}
