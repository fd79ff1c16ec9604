/** The native ONNX runtime behind core's interface: cloud inference and evaluation. */
import { env, type InferenceSession } from 'onnxruntime-node';
import { Fault } from '../../core/errors.ts';
import { fromOrt, interfaceOf, refusesInputs } from '../../core/inference/onnxruntime.ts';
import type { InferenceRuntime, ModelSession } from '../../core/inference/runtime.ts';
import { createSession, toOrt } from './onnxruntime-session.ts';

export interface NativeRuntimeOptions {
  /** Threads inside one operator, default 1. */
  readonly threads?: number;
}

/** Works in worker threads as well. */
export function nativeRuntime({ threads = 1 }: NativeRuntimeOptions = {}): InferenceRuntime {
  return {
    name: `onnxruntime-node ${env.versions.node ?? env.versions.common}`,
    async load(model): Promise<ModelSession> {
      const session = await createSession(model, { threads });
      const { inputs, outputs } = await interfaceOf(session);
      return {
        inputs,
        outputs,
        async run(values, names) {
          const unknown = names.find((name) => !outputs.some((output) => output.name === name));
          if (unknown !== undefined)
            throw new Fault(
              'invalid',
              `there is no output ${unknown}: the outputs are ${outputs.map((output) => output.name).join(', ')}`,
              { field: 'outputs' },
            );
          let results: InferenceSession.ReturnType;
          try {
            const feeds = Object.entries(values).map(([name, value]) => [name, toOrt(value)] as const);
            results = await session.run(Object.fromEntries(feeds), [...names]);
          } catch (cause) {
            throw refusesInputs(cause);
          }
          return Object.fromEntries(names.map((name) => [name, fromOrt(name, results[name]!)]));
        },
        release: () => session.release(),
      };
    },
  };
}
