/** Built Workers as miniflare's options: the bindings of the upload, with local services behind them. */
import { join } from 'node:path';
import type { WorkerOptions } from 'miniflare';
import { Fault } from '../../../core/errors.ts';
import type { BuiltWorker } from './build.ts';

export interface LocalWorker {
  /** Its name among the Workers, as service bindings say it. */
  readonly name: string;
  readonly built: BuiltWorker;
  /** Variables and secrets: what `wrangler deploy --var` and `wrangler secret put` give a deployed Worker. */
  readonly vars: Readonly<Record<string, string>>;
  /** On 127.0.0.1, past miniflare's entry Worker (0.2 ms quicker); 0: any free one; undefined: reached only by other Workers. */
  readonly port: number | undefined;
  /** What the caller calls the port, for the message where it is taken. */
  readonly portField?: string;
}

interface Bindings {
  r2Buckets: Record<string, string>;
  serviceBindings: Record<string, string>;
  durableObjects: Record<string, { className: string; scriptName?: string; useSQLite: true }>;
  bindings: Record<string, string>;
}

function bind(worker: LocalWorker, names: ReadonlySet<string>): Bindings {
  const bound: Bindings = { r2Buckets: {}, serviceBindings: {}, durableObjects: {}, bindings: {} };
  for (const binding of worker.built.bindings) {
    switch (binding.type) {
      case 'r2_bucket':
        bound.r2Buckets[binding.name] = binding.bucket_name;
        break;
      case 'durable_object_namespace': {
        const { script_name: scriptName, class_name: className } = binding;
        // The one kind that a new class can be of: `new_sqlite_classes`.
        bound.durableObjects[binding.name] = {
          className,
          ...(scriptName === undefined ? {} : { scriptName }),
          useSQLite: true,
        };
        break;
      }
      case 'plain_text':
        bound.bindings[binding.name] = binding.text;
        break;
      case 'service':
        if (!names.has(binding.service)) {
          throw new Fault(
            'invalid',
            `workers: ${worker.name} needs ${binding.service}, which is not started`,
            {
              field: 'workers',
            },
          );
        }
        bound.serviceBindings[binding.name] = binding.service;
        break;
    }
  }
  Object.assign(bound.bindings, worker.vars);
  return bound;
}

/** @throws Fault `invalid` where a Worker is bound to one that is not among them */
export function workerOptions(workers: readonly LocalWorker[]): WorkerOptions[] {
  const names = new Set(workers.map(({ name }) => name));
  return workers.map((worker) => {
    const modulesRoot = join('/', worker.name);
    return {
      name: worker.name,
      compatibilityDate: worker.built.compatibilityDate,
      compatibilityFlags: [...worker.built.compatibilityFlags],
      modulesRoot,
      modules: worker.built.modules.map(({ type, name, contents }) => ({
        type,
        path: join(modulesRoot, name),
        contents,
      })),
      ...bind(worker, names),
      ...(worker.port === undefined
        ? {}
        : { unsafeDirectSockets: [{ host: '127.0.0.1', port: worker.port }] }),
    };
  });
}
