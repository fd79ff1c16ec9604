/** The command line as a user types it, against a running stack. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildMlp } from '../../core/onnx/builders/mlp.ts';
import { type Stack, startStack } from '../../infra/local/stack.ts';

const words = (line: string) => line.split(' ');
const MAIN = fileURLToPath(new URL('../../infra/cli/main.ts', import.meta.url));

describe('causeway', () => {
  let folder: string;
  let stack: Stack;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'causeway-cli-'));
    stack = await startStack({ stateDir: join(folder, 'state'), port: 0 });
  });
  afterAll(async () => {
    await stack?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const causeway = (...args: string[]) =>
    new Promise<{ code: number; out: string; err: string }>((resolve) => {
      const env = { ...process.env, CAUSEWAY_STATE: join(folder, 'state') };
      execFile(process.execPath, [MAIN, ...args], { env }, (error, out, err) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, out, err });
      });
    });

  test('imports a CSV, trains on it, releases, predicts, promotes', { timeout: 120_000 }, async () => {
    const file = join(folder, 'blobs.csv');
    // Two clouds of points, apart along both axes.
    const lines = Array.from({ length: 400 }, (_, i) => {
      const kind = i % 2;
      const jitter = ((i * 7919) % 1000) / 1000;
      return `${kind * 2 + jitter},${-kind * 2 + jitter / 2},${kind}`;
    });
    await writeFile(file, ['a,b,kind', ...lines].join('\n'));
    const imported = await causeway('import', 'csv', 'points', '--file', file, '--target', 'kind', '--json');
    expect(imported, imported.err).toMatchObject({ code: 0 });
    expect(JSON.parse(imported.out)).toMatchObject({ name: 'points', version: 1 });

    const trained = await causeway(
      ...words(
        'train points --data points --input features --classes 2 --hidden 8 --batch-size 16 --epochs 8 --learning-rate 0.02 --gate 0.95 --int8 --cascade margin=0.2,large=points-large',
      ),
    );
    expect(trained.code, trained.err + trained.out).toBe(0);
    expect(trained.out).toMatch(
      /released points 1, test accuracy .*; no int8 variant: no weight is large enough/,
    );

    const jobs = await causeway('jobs', '--json');
    expect(JSON.parse(jobs.out)).toMatchObject([{ model: 'points', status: 'succeeded' }]);
    const predicted = await causeway('predict', 'points', '--data', 'points', '--row', '1', '--json');
    expect(predicted.code, predicted.err).toBe(0);
    expect(JSON.parse(predicted.out)).toMatchObject({ body: { model_name: 'points', model_version: '1' } });
    // Zeros, as nothing is given; then a row, in the cloud.
    const explained = await causeway('explain', 'points');
    expect(explained.code, explained.err).toBe(0);
    expect(explained.out).toMatch(/^points: answered by (edge|cloud) \([a-z-]+\) with 200 in /);
    expect(explained.out).toMatch(/\nTARGET +HEALTH .*VERDICT\nedge +healthy .*\ncloud +healthy /);
    const row = words('explain points --data points --row 1 --target cloud --json');
    const explanation = JSON.parse((await causeway(...row)).out) as Record<string, unknown>;
    expect(explanation).toMatchObject({ pin: 'cloud', reason: 'pinned', status: 200, error: null });
    const missing = await causeway(...words('explain points --release 77'));
    expect(missing).toMatchObject({ code: 2, err: expect.stringMatching(/release|version/) });
    expect((await causeway('models', 'promote', 'points', 'beta', '1')).code).toBe(0);
    expect((await causeway('models')).out).toMatch(/points\s+1\s+beta → 1, stable → 1/);
    expect((await causeway('models', 'show', 'points')).out).toContain(
      'release 1 is in a cascade: margin below 0.2 asks points-large',
    );
    const set = await causeway(
      ...words('models set points --channel beta --cascade off --routing'),
      '{"exclude":["cloud"]}',
    );
    expect([set.code, set.out.trim()], set.err).toEqual([0, 'points beta → release 2']);
    const { out: shown } = await causeway('models', 'show', 'points');
    expect(shown).toContain('release 2 says of its requests {"exclude":["cloud"]}');
    expect(shown).toContain('release 2 has the files of release 1');
    expect(shown).not.toContain('release 2 is in a cascade');
  });

  test('releases an int8 variant that the edge serves', { timeout: 120_000 }, async () => {
    const trained = await causeway(
      ...words(
        'train wide --data points --input features --classes 2 --hidden 2048 --batch-size 16 --epochs 2 --int8 0.05 --json',
      ),
      '--routing',
      '{"exclude":["cloud-us"],"deadlineMs":9000}',
    );
    expect(trained.code, trained.err + trained.out).toBe(0);
    expect(JSON.parse(trained.out)).not.toHaveProperty('omitted');
    const shown = (await causeway('models', 'show', 'wide')).out;
    expect(shown).toMatch(/\n +1 +fp32 +accuracy [\d.]+ % +[\d ]+ +[\d.]+ +job_/);
    expect(shown).toMatch(/\n +1 +int8 +accuracy [\d.]+ % +[\d ]+ +[\d.]+ +job_/);
    const asked = async (target: string) => {
      const args = ['wide', '--data', 'points', '--target', target, '--json'];
      const { variant } = JSON.parse((await causeway('predict', ...args)).out) as { variant: string };
      return variant;
    };
    expect([await asked('edge'), await asked('cloud')]).toEqual(['int8', 'fp32']);
    expect([await asked('edge-fp32'), await asked('edge-int8')]).toEqual(['fp32', 'int8']);
    const releases = await causeway('models', 'releases', 'wide', '--json');
    expect(JSON.parse(releases.out)).toMatchObject([
      { routing: { exclude: ['cloud-us'], deadlineMs: 9_000 } },
    ]);
    // What must not leave does not, from now on: the cloud still serves the release before.
    const set = await causeway('models', 'set', 'wide', '--routing', '{"exclude":["cloud"]}');
    expect(set.code, set.err).toBe(0);
    const away = await causeway(...words('predict wide --data points --target cloud'));
    expect(away).toMatchObject({ code: 2, err: expect.stringContaining('no target is left') });
    expect(await asked('cloud-only').catch(() => 'refused')).toBe('refused');
    expect(await asked('edge')).toBe('int8');
  });

  test(
    'plans a job, and shows what was predicted beside what was metered',
    { timeout: 120_000 },
    async () => {
      const job = 'points --data points --input features --classes 2 --hidden 8 --batch-size 16 --epochs 4';
      const before = (await causeway('jobs', '--json')).out;
      const planned = await causeway(
        ...words(`plan ${job} --shards 4,1 --step-ms 50 --deadline 30 --strategy diloco --compress fp16`),
        '--json',
      );
      expect(planned.code, planned.err).toBe(0);
      // 80 % of 400 rows: 20 steps of 50 ms an epoch, in one shard.
      expect(JSON.parse(planned.out)).toMatchObject({
        platform: 'aws',
        stepSeconds: 0.05,
        strategies: [{ strategy: { kind: 'diloco' }, rows: [{ shards: 1 }, { shards: 4 }] }],
        firstEstimate: 1,
      });
      expect((await causeway('jobs', '--json')).out).toBe(before);
      const table = await causeway(...words(`plan ${job} --shards 1,2 --platform local --deadline 60`));
      expect(table.code, table.err).toBe(0);
      expect(table.out).toMatch(
        /^simulated on local; a step takes .* \(measured here\)\na request to read .*a second \(measured here\)\n\nSTRATEGY +SHARDS +ROUNDS +TIME/,
      );
      for (const kind of ['local-sgd', 'diloco', 'bounded-staleness', 'all-reduce'])
        expect(table.out.match(new RegExp(`^${kind}.* [12] +\\d`, 'gm'))).toHaveLength(2);
      expect(table.out).toMatch(/first estimate: R = Q \/ C = .* = 1 function, each with S = 100\.00 %/);
      expect(table.out).toMatch(
        /cheapest[^]*\none machine \(c7g.medium, on demand\): 4\d\.\d s, 0\.000605 dollars/,
      );

      const trained = await causeway(...words(`train ${job} --shards 2 --predict local`));
      expect(trained.code, trained.err + trained.out).toBe(0);
      const [, spent, predicted] =
        /\nspent: .*, ([\d ]+) requests, .* dollars\npredicted: .*, ([\d ]+) requests, .* dollars\n/.exec(
          trained.out,
        ) ?? [];
      // Shards that finish together may each ask whether the round is complete.
      expect(Math.abs(Number(predicted) / Number(spent) - 1)).toBeLessThan(0.2);
    },
  );

  test.concurrent.each([
    ['plan points', /required option '--data/],
    ['plan points --data nothing', /no dataset nothing/],
    ['plan points --data points --input features --shards 0', /whole number from 1 to 1000/],
    ['plan points --data points --input features --shards 2,2', /Each number once/],
    ['plan points --data points --input features --step-ms 0', /above 0/],
    ['plan points --data points --input features --platform moon', /Allowed choices are aws, local/],
    ['plan points --data points --input features --strategy local-sgd --compress int8', /compression/],
    ['plan points --data points --input features --classes 1', /from 2 to/],
  ])('refuses %s', async (line, message) => {
    expect(await causeway(...words(line))).toMatchObject({ code: 2, err: expect.stringMatching(message) });
  });

  test('quantize writes a file a quarter of the size, and needs no stack', async () => {
    const [from, to] = [join(folder, 'in.onnx'), join(folder, 'out.onnx')];
    await writeFile(from, buildMlp({ inputs: 100, hidden: [100], classes: 2 }));
    const written = await causeway('quantize', from, to);
    expect(written.code, written.err).toBe(0);
    expect(written.out).toMatch(/out\.onnx: 1 nodes in 8 bits/);
    expect((await stat(to)).size).toBeLessThan((await stat(from)).size / 3);
    const again = await causeway('quantize', to, from);
    expect(again.code).toBe(2);
    expect(again.err).toMatch(/has no weight that is large enough/);
  });

  test('imports a text and trains a transformer on its bytes', { timeout: 60_000 }, async () => {
    const file = join(folder, 'notes.txt');
    await writeFile(file, 'the whale swims, the ship sails, the whale dives. '.repeat(60));
    const imported = await causeway(
      ...words(`import text notes --file ${file} --length 16 --test 0.2 --json`),
    );
    expect(imported, imported.err).toMatchObject({ code: 0 });
    const row = { dtype: 'U8', shape: [16] };
    expect(JSON.parse(imported.out)).toMatchObject({ tensors: { tokens: row, targets: row } });
    const trained = await causeway(
      ...words('train notes --data notes --input tokens --target targets --build gpt --vocabulary 256'),
      ...words('--layers 1 --heads 2 --width 32 --batch-size 8 --epochs 20 --learning-rate 0.01 --json'),
    );
    expect(trained.code, trained.err + trained.out).toBe(0);
    const { metrics } = JSON.parse(trained.out) as { metrics: Record<string, number> };
    // How often each letter occurs would be a perplexity of 11.8: this one knows what comes after what.
    expect(metrics['perplexity']).toBeLessThan(8);

    const missing = await causeway(...words(`import text notes --file ${file} --tokenizer ${file}`));
    expect(missing).toMatchObject({ code: 2, err: expect.stringContaining('not a llama2.c tokenizer') });
  });

  test('builds a model, starts it anew, fine-tunes it by adapters', { timeout: 60_000 }, async () => {
    const file = join(folder, 'points.onnx');
    const built = await causeway(...words(`build mlp ${file} --inputs 2 --hidden 8 --classes 2 --json`));
    expect(JSON.parse(built.out)).toMatchObject({ parameters: 2 * 8 + 8 + 8 * 2 + 2 });
    const trained = await causeway(
      ...words(`train tuned --data points --input features --model ${file} --batch-size 16 --epochs 8`),
      ...words('--init xavier --lora rank=2,alpha=8,target=layer?.weight --learning-rate 0.02 --gate 0.95'),
    );
    expect(trained.code, trained.err + trained.out).toBe(0);
    const releases = await causeway('models', 'releases', 'tuned', '--json');
    expect(JSON.parse(releases.out)).toMatchObject([{ adapter: { rank: 2, alpha: 8 } }]);
  });

  test('a regression from a CSV: another loss, gated on its own metric', { timeout: 60_000 }, async () => {
    const file = join(folder, 'line.csv');
    const lines = Array.from({ length: 200 }, (_, i) => {
      const [a, b] = [((i * 7919) % 1000) / 1000, ((i * 104_729) % 1000) / 1000];
      return `${a},${b},${(2 * a - b + 0.25).toFixed(4)}`;
    });
    await writeFile(file, ['a,b,price', ...lines].join('\n'));
    const importing = words('import csv houses --target price --target-kind value --file');
    const imported = await causeway(...importing, file);
    expect(imported.code, imported.err).toBe(0);
    const training = words(
      'train houses --data houses --input features --loss huber --delta 2 --hidden 8 --shards 2 --batch-size 10 --epochs 20 --learning-rate 0.02 --gate',
    );
    const trained = await causeway(...training, 'mae<=0.15');
    expect(trained.code, trained.err + trained.out).toBe(0);
    expect(trained.out).toMatch(/loss 0\.\d+ · mae 0\.\d+/);
    expect(trained.out).toMatch(/released houses 1, test mae 0\.\d+/);
    const refused = await causeway(...training, 'f1>=0.5');
    expect(refused.err).toMatch(/release\.gate\.metric: huber is judged by mae, rmse, loss, not f1/);
    expect(refused.code).toBe(2);
  });

  test('a job that misses its gate fails, with exit code 1 and the figure', { timeout: 60_000 }, async () => {
    const missed = await causeway(
      ...words(
        'train points --data points --input features --classes 2 --hidden 2 --epochs 1 --learning-rate 0.000001 --gate 1',
      ),
    );
    expect(missed.out).toMatch(/failed: not released: accuracy is .* asks for at least 1/);
    expect(missed.code).toBe(1);
  });

  const wrong: readonly (readonly [string, string[], RegExp])[] = [
    ['an unknown option', ['up', '--nope'], /unknown option/],
    ['a port that is none', ['up', '--port', '70000'], /whole number from 0 to 65535/],
    ['a file that is not there', ['import', 'csv', 'x', '--file', '/none.csv', '--target', 'a'], /none\.csv/],
    ['a dataset that is not there', ['train', 'x', '--data', 'nope'], /no dataset nope/],
    [
      'a file to quantize that is not there',
      ['quantize', '/none.onnx', '/x.onnx'],
      /none\.onnx cannot be read/,
    ],
    ['a tolerance below 0', ['train', 'x', '--data', 'points', '--int8=-1'], /a number, 0 or more/],
    ['a LoRA without alpha', ['train', 'x', '--data', 'points', '--lora', 'rank=2'], /alpha is missing/],
    [
      'a transformer of points',
      ['train', 'x', '--data', 'points', '--input', 'features', '--build', 'gpt'],
      /--vocabulary/,
    ],
    [
      'a model that is given and built',
      ['train', 'x', '--data', 'y', '--model', 'z', '--build', 'mlp'],
      /cannot be used with/,
    ],
    [
      'a transformer without a width for its heads',
      words('build gpt /none.onnx --vocabulary 9 --context 4 --heads 3'),
      /multiple of heads/,
    ],
    ['a model that is not there', ['models', 'releases', 'nope'], /no model nope/],
    ['a model to explain that is not there', ['explain', 'nope'], /nope/],
    [
      'a request in a file that is not there',
      ['explain', 'points', '--input', '/none.json'],
      /--input: \/none\.json cannot be read/,
    ],
    ['two inputs', words('explain points --input a --data b'), /only one of --input and --data/],
    ['a job that is not there', ['jobs', 'show', 'job_00000000'], /no job/],
    ['a release that is not there', ['models', 'promote', 'points', 'stable', '9'], /no release 9/],
    ['nothing to say of requests', ['models', 'set', 'points'], /--routing, --cascade or both/],
    ['words for a model that is not there', ['models', 'set', 'nope', '--cascade', 'off'], /no model nope/],
  ];
  test.concurrent.each(wrong)('refuses %s with exit code 2', async (_name, args, message) => {
    const { code, err } = await causeway(...args);
    expect(err).toMatch(message);
    expect(err).not.toMatch(/\n\s+at /);
    expect(code).toBe(2);
  });

  test('a corrupt IDX file is refused by name', async () => {
    const bad = join(folder, 'bad.idx');
    await writeFile(bad, Uint8Array.of(0, 0, 8, 3, 0, 0));
    const files = ['--images', bad, '--labels', bad, '--test-images', bad, '--test-labels', bad];
    const { code, err } = await causeway('import', 'idx', 'x', ...files);
    expect(err).toMatch(/bad\.idx: not an IDX file/);
    expect(code).toBe(2);
  });

  test.concurrent.each([
    'up',
    'import',
    'build',
    'train',
    'jobs',
    'predict',
    'explain',
    'models',
    'quantize',
  ])('%s has help', async (command) => {
    const { code, out } = await causeway(command, '--help');
    expect(out).toMatch(new RegExp(`Usage: causeway ${command}`));
    expect(code).toBe(0);
  });
});
