/** The body that `wrangler deploy` would upload, read back: metadata and modules, whatever bundler made them. */
import { z } from 'zod';
import { Fault } from '../../../core/errors.ts';

/** How workerd must treat a module; the names are miniflare's. */
export type ModuleType = 'ESModule' | 'CompiledWasm' | 'Text' | 'Data';

export interface WorkerModule {
  readonly type: ModuleType;
  /** As the other modules import it. */
  readonly name: string;
  readonly contents: Uint8Array<ArrayBuffer>;
}

/** The bindings our Workers use. A kind that is not here would be silently absent locally: it is refused. */
const Binding = z.discriminatedUnion('type', [
  z.object({ type: z.literal('r2_bucket'), name: z.string(), bucket_name: z.string() }),
  z.object({ type: z.literal('service'), name: z.string(), service: z.string() }),
  z.object({
    type: z.literal('durable_object_namespace'),
    name: z.string(),
    class_name: z.string(),
    /** The Worker that has the class; undefined: this one. */
    script_name: z.string().optional(),
  }),
  z.object({ type: z.literal('plain_text'), name: z.string(), text: z.string() }),
]);
export type Binding = z.infer<typeof Binding>;

const Metadata = z.object({
  main_module: z.string(),
  bindings: z.array(Binding),
  compatibility_date: z.string(),
  compatibility_flags: z.array(z.string()).default([]),
});

export interface WorkerUpload {
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  readonly bindings: readonly Binding[];
  /** The main module first. */
  readonly modules: readonly WorkerModule[];
}

/** Content types of the upload; `undefined` is a part that is no module. */
const MODULE_TYPES: Readonly<Record<string, ModuleType | undefined>> = {
  'application/javascript+module': 'ESModule',
  'application/wasm': 'CompiledWasm',
  'text/plain': 'Text',
  'application/octet-stream': 'Data',
  'application/source-map': undefined,
};

async function readModule(name: string, part: File): Promise<WorkerModule | undefined> {
  if (!Object.hasOwn(MODULE_TYPES, part.type)) {
    throw new Fault('internal', `module ${name} has the unknown type ${part.type}`);
  }
  const type = MODULE_TYPES[part.type];
  return type === undefined ? undefined : { type, name, contents: new Uint8Array(await part.arrayBuffer()) };
}

/** @param body multipart/form-data as `wrangler deploy --outfile` writes it */
export async function readUpload(body: Uint8Array<ArrayBuffer>): Promise<WorkerUpload> {
  const boundary = new TextDecoder().decode(body.subarray(0, Math.max(0, body.indexOf(0x0d)))).slice(2);
  const form = await new Response(body, {
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
  }).formData();
  const text = form.get('metadata');
  const metadata = Metadata.parse(JSON.parse(typeof text === 'string' ? text : '{}'));
  const modules: WorkerModule[] = [];
  for (const [name, part] of form) {
    const module = typeof part === 'string' ? undefined : await readModule(name, part);
    if (module !== undefined) modules.push(module);
  }
  const main = modules.filter(({ name }) => name === metadata.main_module);
  if (main.length !== 1) throw new Fault('internal', `the bundle has no main module ${metadata.main_module}`);
  return {
    compatibilityDate: metadata.compatibility_date,
    compatibilityFlags: metadata.compatibility_flags,
    bindings: metadata.bindings,
    modules: [...main, ...modules.filter((module) => module !== main[0])],
  };
}
