/**
 * Puts onnxruntime-node beside a bundle: what it needs at run time, with the native library of one platform.
 * The whole package is 288 MB for all platforms; a function may have 250. Run by esbuild's after-bundling hook:
 *   node copy-onnxruntime.ts <output folder> <platform> <architecture>
 */
import { cpSync, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { REPOSITORY } from './paths.ts';

export interface OnnxRuntimeTarget {
  readonly platform: string;
  readonly architecture: string;
}

/** @throws Error where the installed package has no library for the target */
export function copyOnnxRuntime(output: string, { platform, architecture }: OnnxRuntimeTarget): void {
  const modules = join(output, 'node_modules');
  const runtime = packageFolder('onnxruntime-node', REPOSITORY);
  const binaries = join('bin', 'napi-v6', platform, architecture);
  if (!existsSync(join(runtime, binaries, 'onnxruntime_binding.node')))
    throw new Error(`onnxruntime-node has no ${binaries}: is it installed at the repository root?`);
  copy(runtime, join(modules, 'onnxruntime-node'), ['package.json', 'dist', binaries]);
  // Only its CommonJS build is loaded, by onnxruntime-node.
  const common = packageFolder('onnxruntime-common', runtime);
  copy(common, join(modules, 'onnxruntime-common'), ['package.json', join('dist', 'cjs')]);
}

/** Types and source maps are of no use at run time. */
const isRuntimeFile = (path: string) => !/\.(d\.ts|map)$/.test(path);

function copy(from: string, to: string, parts: readonly string[]): void {
  for (const part of parts)
    cpSync(join(from, part), join(to, part), { recursive: true, dereference: true, filter: isRuntimeFile });
}

/** Where Node finds the package from a folder: hoisted or nested. */
function packageFolder(name: string, from: string): string {
  const require = createRequire(join(from, 'package.json'));
  for (const folder of require.resolve.paths(name) ?? []) {
    const candidate = join(folder, name);
    if (existsSync(join(candidate, 'package.json'))) return candidate;
  }
  throw new Error(`${name} is not installed: run npm ci in ${dirname(join(from, 'package.json'))}`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [output, platform, architecture] = process.argv.slice(2);
  if (output === undefined || platform === undefined || architecture === undefined)
    throw new Error('usage: node copy-onnxruntime.ts <output folder> <platform> <architecture>');
  copyOnnxRuntime(output, { platform, architecture });
}
