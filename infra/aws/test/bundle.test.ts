/** The real bundles: their size, what lies in them, and that they load outside the repository. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { copyOnnxRuntime } from '../lib/copy-onnxruntime.ts';
import { CausewayStack } from '../lib/stack.ts';

/** Lambda's limit on a function's code, unzipped. */
const LIMIT_BYTES = 250 * 1024 * 1024;

const folders: string[] = [];
const temporary = () => {
  const folder = mkdtempSync(join(tmpdir(), 'causeway-bundle-'));
  folders.push(folder);
  return folder;
};

/** Bundle folder by function. */
const bundles = new Map<string, string>();

beforeAll(() => {
  const outdir = temporary();
  const app = new App({ outdir });
  const stack = new CausewayStack(app, 'Causeway', { settings: { fleetConcurrency: 50 } });
  for (const [id, { Properties }] of Object.entries(
    Template.fromStack(stack).findResources('AWS::Lambda::Function'),
  ))
    bundles.set(
      id.replace(/Function.*$/, ''),
      join(outdir, `asset.${String(Properties.Code.S3Key).replace(/\.zip$/, '')}`),
    );
});

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const files = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) =>
    statSync(join(folder, path)).isFile(),
  );

test('there is a bundle for each function', () =>
  expect([...bundles.keys()].sort()).toEqual(['Api', 'Fleet', 'Inference', 'Sweep']));

test.each(['Fleet', 'Inference'])(
  '%s carries ONNX Runtime for linux/arm64 alone, below the limit',
  (name) => {
    const folder = bundles.get(name)!;
    const libraries = files(folder).filter((path) => /\.(node|so(\.\d+)*|dylib|dll)$/.test(path));
    const place = join('node_modules', 'onnxruntime-node', 'bin', 'napi-v6', 'linux', 'arm64');
    expect(libraries.sort()).toEqual([
      join(place, 'libonnxruntime.so.1'),
      join(place, 'onnxruntime_binding.node'),
    ]);
    const bytes = files(folder).reduce((sum, path) => sum + statSync(join(folder, path)).size, 0);
    expect(bytes).toBeLessThan(LIMIT_BYTES);
  },
);

test.each(['Api', 'Sweep'])('%s carries no native library', (name) => {
  expect(files(bundles.get(name)!).sort()).toEqual(['index.mjs', 'index.mjs.map']);
});

/** Loads a bundle from a folder with nothing of the repository above it, with this machine's native library. */
function loadElsewhere(name: string): string {
  const folder = temporary();
  for (const file of ['index.mjs', 'index.mjs.map'])
    cpSync(join(bundles.get(name)!, file), join(folder, file));
  if (existsSync(join(bundles.get(name)!, 'node_modules')))
    copyOnnxRuntime(folder, { platform: process.platform, architecture: process.arch });
  const lambda = 'globalThis.awslambda = { streamifyResponse: (handler) => handler };';
  const script = `${lambda} const { handler } = await import('./index.mjs'); process.stdout.write(typeof handler);`;
  return execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: folder,
    encoding: 'utf8',
    env: {
      AWS_REGION: 'eu-west-1',
      CAUSEWAY_BUCKET: 'bucket',
      CAUSEWAY_QUEUE_URL: 'https://queue.example/tasks',
      CAUSEWAY_DEAD_LETTER_URL: 'https://queue.example/dead',
      CAUSEWAY_TOKEN_SECRET_ARN: 'arn:example',
    },
  });
}

test.each(['Fleet', 'Api', 'Inference', 'Sweep'])('%s loads on its own', (name) => {
  expect(loadElsewhere(name)).toBe('function');
});
