/**
 * A runtime that does one thing at a time, for those that need it: ONNX Runtime's WASM has one heap and one call
 * stack, and two session creations or runs that overlap corrupt each other.
 *
 * The lock is taken by whoever finds it free and never handed over: in a Worker a waiting request can be cancelled,
 * which stops it without a word, and a lock handed to it would be lost.
 */
import type { Breath } from './breath.ts';
import type { InferenceRuntime, ModelSession } from './runtime.ts';
import { createSignal } from './signal.ts';

/** @param breath taken between runs, where they block a thread that others need */
export function serialized(runtime: InferenceRuntime, breath?: Breath): InferenceRuntime {
  const freed = createSignal();
  const lock = { taken: false };

  async function exclusive<T>(work: () => Promise<T>): Promise<T> {
    while (lock.taken) await freed.wait();
    lock.taken = true;
    try {
      return await work();
    } finally {
      lock.taken = false;
      freed.notify();
    }
  }

  const wrap = (session: ModelSession): ModelSession => ({
    inputs: session.inputs,
    outputs: session.outputs,
    run: (inputs, outputs) =>
      exclusive(() => {
        breath?.runs();
        return session.run(inputs, outputs);
      }),
    busy: () => (lock.taken ? freed.wait() : breath?.due()),
    release: () => exclusive(() => session.release()),
  });
  return { name: runtime.name, load: async (model) => wrap(await exclusive(() => runtime.load(model))) };
}
