/** The main job, end to end: train on the fleet, release, serve at the edge, route each request. */
import { Listr } from 'listr2';
import type { Release } from '../../core/contracts/release.ts';
import { REQUEST_HEADERS } from '../../core/contracts/headers.ts';
import type { Place } from '../../core/routing/targets.ts';
import { Fault } from '../../core/errors.ts';
import type { Stack } from '../local/stack.ts';
import type { Client, Prediction } from './client.ts';
import { outcome } from './commands/train.ts';
import { describe } from './datasets/describe.ts';
import { importMnist, MNIST, mnistJob } from './mnist.ts';
import { count, duration, percent } from './output.ts';
import { progressLine } from './progress.ts';
import { requestOfRow } from './samples.ts';

/** Test images sent through the router: most as it likes, the last few pinned to the cloud to show the other way. */
const SAMPLES = 20;
const PINNED_TO_CLOUD = 2;
/** A release is picked up within 5 s; everything beyond that is a fault. */
const SERVING_TIMEOUT_MS = 10_000;

export interface TrainedModel {
  readonly release: Release;
  readonly trainSeconds: number;
  readonly samplesPerSecond: number;
}

export interface Sample {
  readonly row: number;
  readonly label: number | undefined;
  readonly answer: number;
  readonly confidence: number;
  readonly prediction: Prediction;
}

/** @returns the newest `mnist` release, trained now where there is none. @throws Fault where the job failed */
export async function ensureMnist(stack: Stack, client: Client): Promise<TrainedModel> {
  const before = await newestRelease(client);
  if (before === undefined) {
    await new Listr<{ job?: string }>(
      [
        {
          title: 'Import MNIST',
          task: async (_context, task) => {
            task.title = `Import MNIST: ${describe(await importMnist(stack.store))}`;
          },
        },
        {
          title: 'Train on the fleet',
          task: async (context, task) => {
            const spec = await mnistJob(stack.store, await importMnist(stack.store));
            const { job } = await client.createJob(spec);
            context.job = job;
            let shown = -1;
            const result = await client.follow(job, (view) => {
              // A terminal redraws one line; a log gets one line a round.
              if (process.stdout.isTTY || view.round !== shown) task.output = progressLine(view);
              shown = view.round;
            });
            const { seconds, samplesPerSecond } = await client.job(job);
            task.title = `Train on the fleet: ${outcome(MNIST, result)} after ${duration(seconds)}, ${count(samplesPerSecond)} samples/s`;
            if (result.status !== 'succeeded') throw new Fault('internal', outcome(MNIST, result));
          },
          rendererOptions: { persistentOutput: true, outputBar: 1 },
        },
      ],
      // It would end the process at Ctrl-C, with the stack still at work.
      { registerSignalListeners: false },
    ).run({});
  }
  const release = before ?? (await newestRelease(client));
  if (release === undefined) throw new Fault('internal', `no release of ${MNIST} after training`);
  const job = await client.job(release.lineage.job);
  return { release, trainSeconds: job.seconds, samplesPerSecond: job.samplesPerSecond };
}

async function newestRelease(client: Client): Promise<Release | undefined> {
  const { models } = await client.models();
  if (!models.some(({ name }) => name === MNIST)) return undefined;
  return (await client.releases(MNIST)).releases[0];
}

/** What the model reads; before it is served nobody can be asked. */
const MNIST_INPUTS = [{ name: 'image', datatype: 'FP32' }];

/** Sends test images through the router, once the edge serves the release. */
export async function sendSamples(
  stack: Stack,
  client: Client,
  onSample: (sample: Sample) => void,
): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let row = 0; row < SAMPLES; row++) {
    const { body, label } = await requestOfRow(stack.store, MNIST_INPUTS, {
      dataset: MNIST,
      version: undefined,
      split: 'test',
      row,
    });
    const pin = row >= SAMPLES - PINNED_TO_CLOUD ? { [REQUEST_HEADERS.target]: 'cloud' } : {};
    const path = `/v2/models/${MNIST}/infer`;
    if (row === 0) await untilServed(() => client.infer(path, body));
    const prediction = await client.infer(path, body, pin);
    const scores = prediction.body.outputs[0]?.data ?? [];
    const confidence = Math.max(...scores);
    const sample = { row, label, answer: scores.indexOf(confidence), confidence, prediction };
    onSample(sample);
    samples.push(sample);
  }
  return samples;
}

/** The edge looks at the channel every few seconds; until then it says 404. */
async function untilServed(ask: () => Promise<unknown>): Promise<void> {
  const until = Date.now() + SERVING_TIMEOUT_MS;
  for (;;) {
    try {
      await ask();
      return;
    } catch (thrown) {
      if (!(thrown instanceof Fault) || thrown.code !== 'not_found' || Date.now() > until) throw thrown;
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

export interface Summary {
  readonly accuracy: number;
  readonly release: number;
  readonly trainSeconds: number;
  readonly samplesPerSecond: number;
  readonly routes: Readonly<Record<Place, number>>;
}

export function summarize(model: TrainedModel, samples: readonly Sample[]): Summary {
  const to = (place: Place) => samples.filter(({ prediction }) => prediction.target.startsWith(place)).length;
  return {
    accuracy: model.release.metrics['accuracy'] ?? 0,
    release: model.release.release,
    trainSeconds: Number(model.trainSeconds.toFixed(2)),
    samplesPerSecond: Math.round(model.samplesPerSecond),
    routes: { edge: to('edge'), cloud: to('cloud') },
  };
}

export function sampleLine({ row, label, answer, confidence, prediction }: Sample): string {
  const verdict = label === undefined || label === answer ? '✓' : `✗ is ${label}`;
  const cells = [
    `image ${String(row).padStart(2)}`,
    `answer ${answer} ${verdict.padEnd(6)}`,
    percent(confidence).padStart(8),
    prediction.target.padEnd(5),
    prediction.reason.padEnd(12),
    `${prediction.ms.toFixed(2)} ms`.padStart(9),
  ];
  return `  ${cells.join('  ')}`;
}
