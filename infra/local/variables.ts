/** Variables of a deployment that can be set on this machine too, and who reads them: docs/routing.md, docs/serving.md. */
import { Fault } from '../../core/errors.ts';

const INFERENCE = [
  'CAUSEWAY_VARIANTS',
  'CAUSEWAY_BATCH_ROWS',
  'CAUSEWAY_BATCH_DELAY_MS',
  'CAUSEWAY_BATCH_VARIANTS',
  'CAUSEWAY_QUEUE_LIMIT',
];
const WORKERS = {
  router: [
    'CLOUD_URL',
    'CLOUD_REGIONS',
    'JOBS_URL',
    'EDGE_COST',
    'CLOUD_COST',
    'MAX_IN_FLIGHT',
    'API_TOKEN',
    'REQUIRE_AUTH',
    'ALLOW_ANONYMOUS',
    'MAX_BODY_BYTES',
    'ROUTING_POLICY',
  ],
  inference: [...INFERENCE, 'CAUSEWAY_HARD_EXAMPLES', 'CAUSEWAY_HARD_EXAMPLES_PER_MINUTE'],
} as const;

type Values = Readonly<Record<string, string>>;
export type WorkerVariables = Readonly<Record<keyof typeof WORKERS, Values>>;

/**
 * @param given as `wrangler deploy --var` takes them, `NAME:VALUE`; the last of one name counts
 * @throws Fault `invalid` where nobody reads such a name
 */
export function workerVariables(given: readonly string[]): WorkerVariables {
  const values = Object.entries(read(given, [...WORKERS.router, ...WORKERS.inference]));
  const of = (names: readonly string[]) =>
    Object.fromEntries(values.filter(([name]) => names.includes(name)));
  return { router: of(WORKERS.router), inference: of(WORKERS.inference) };
}

/** The same of the cloud's inference function. */
export const cloudVariables = (given: readonly string[]): Values => read(given, INFERENCE);

function read(given: readonly string[], known: readonly string[]): Values {
  return Object.fromEntries(
    given.map((text) => {
      const colon = text.indexOf(':');
      const name = text.slice(0, Math.max(0, colon));
      if (known.includes(name)) return [name, text.slice(colon + 1)];
      throw new Fault('invalid', `${text} is not NAME:VALUE with a name of ${known.join(', ')}`);
    }),
  );
}
