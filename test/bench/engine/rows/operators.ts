/** Where the time of a batch goes, by the runtime's own profile: each operator forward, and with backward. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession } from 'onnxruntime-node';
import { toOrt } from '../../../../cloud/adapters/onnxruntime-session.ts';
import type { TensorValue } from '../../../../core/tensors/tensor.ts';
import { table } from '../../../../infra/cli/output.ts';
import { spread } from '../measure.ts';
import { feedsOf, forwardOf, type Network, NETWORKS, trainingOf } from '../networks.ts';

/** Of each graph. */
export const RUNS = 200;
/** Operators that take less of a batch than this are one line together. */
const LEAST_SHARE = 0.01;

export async function operatorsTables(): Promise<string> {
  const tables = [];
  for (const network of NETWORKS) tables.push(await operatorsTable(network));
  return tables.join('\n\n');
}

async function operatorsTable(network: Network): Promise<string> {
  const training = await trainingOf(network);
  const values = feedsOf(training, network.batch);
  const forward = await profile(forwardOf(training.graph), values);
  const both = await profile(training.graph, values);
  const total = (times: ReadonlyMap<string, number>) => [...times.values()].reduce((a, b) => a + b, 0);
  const [ofForward, ofBoth] = [total(forward), total(both)];
  const names = [...both.keys()].toSorted((a, b) => both.get(b)! - both.get(a)!);
  const named = names.filter((name) => both.get(name)! >= LEAST_SHARE * ofBoth);
  const rest = (times: ReadonlyMap<string, number>) =>
    total(times) - named.reduce((sum, name) => sum + (times.get(name) ?? 0), 0);
  const row = (name: string, f: number, b: number) => [
    name,
    f.toFixed(2),
    (b - f).toFixed(2),
    `${((b - f) / ofForward).toFixed(2)} × forward`,
  ];
  return table(
    [network.name, 'FORWARD, MS', 'BACKWARD, MS', 'OF THE WHOLE FORWARD PASS'],
    [
      ...named.map((name) => row(name, forward.get(name) ?? 0, both.get(name)!)),
      row('others', rest(forward), rest(both)),
      row('all', ofForward, ofBoth),
    ],
  );
}

interface ProfileEvent {
  readonly cat: string;
  readonly name: string;
  /** Microseconds. */
  readonly dur: number;
  readonly args?: { readonly op_name?: string };
}

/** @returns operator → milliseconds a batch: of each node the median of all runs, of the operator their sum */
async function profile(
  graph: Uint8Array<ArrayBuffer>,
  values: Readonly<Record<string, TensorValue>>,
): Promise<ReadonlyMap<string, number>> {
  const folder = await mkdtemp(join(tmpdir(), 'causeway-profile-'));
  try {
    const session = await InferenceSession.create(graph, {
      executionProviders: ['cpu'],
      intraOpNumThreads: 1,
      interOpNumThreads: 1,
      enableProfiling: true,
      profileFilePrefix: join(folder, 'run'),
    });
    const feeds = Object.fromEntries(session.inputNames.map((name) => [name, toOrt(values[name]!)] as const));
    for (let run = 0; run < RUNS; run++) await session.run(feeds);
    session.endProfiling();
    await session.release();
    const [file] = await readdir(folder);
    return byOperator(JSON.parse(await readFile(join(folder, file!), 'utf8')) as ProfileEvent[]);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function byOperator(events: readonly ProfileEvent[]): ReadonlyMap<string, number> {
  const nodes = new Map<string, { readonly operator: string; readonly times: number[] }>();
  for (const { cat, name, dur, args } of events) {
    if (cat !== 'Node' || !name.endsWith('_kernel_time')) continue;
    const node = nodes.get(name) ?? { operator: args?.op_name ?? name, times: [] };
    node.times.push(dur);
    nodes.set(name, node);
  }
  const operators = new Map<string, number>();
  for (const { operator, times } of nodes.values())
    operators.set(operator, (operators.get(operator) ?? 0) + spread(times).median / 1000);
  return operators;
}
