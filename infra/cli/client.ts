/** The public HTTP API as the command line uses it: answers checked against the contracts, errors as Faults. */
import { z } from 'zod';
import { JobList, JobView, TrainView } from '../../core/contracts/job.ts';
import { Explanation } from '../../core/contracts/explanation.ts';
import {
  type MoveChannelRequest,
  ModelList,
  ReleaseList,
  type ReleaseRequest,
  Rereleased,
} from '../../core/contracts/release.ts';
import { RESPONSE_HEADERS, TARGET_HEADERS } from '../../core/contracts/headers.ts';
import { Fault, FAULTS, type FaultCode } from '../../core/errors.ts';
import { eventStreams } from './event-streams.ts';

export interface Prediction {
  readonly body: InferResponse;
  readonly target: string;
  readonly reason: string;
  /** Which file of the release answered: `fp32`, `int8`. */
  readonly variant: string;
  /** Milliseconds from request to parsed answer, seen from here. */
  readonly ms: number;
  readonly serverTiming: string;
}

/** Open Inference Protocol v2. */
export interface InferResponse {
  readonly model_name: string;
  readonly model_version: string;
  readonly outputs: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly datatype: string;
    readonly data: readonly number[];
  }[];
}

/** An answer and why it is this one. */
export interface Explained {
  readonly explanation: Explanation;
  /** Milliseconds from request to parsed answer, seen from here. */
  readonly ms: number;
  /** What the answer says went wrong; undefined: it is an inference. */
  readonly fault: Fault | undefined;
}

interface JsonRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export type Client = ReturnType<typeof createClient>;

/** Of the Open Inference Protocol's model metadata, what a request is made of. */
const ModelMetadata = z.object({
  inputs: z.array(z.object({ name: z.string(), datatype: z.string(), shape: z.array(z.number()) })),
});

/**
 * @param token sent as `authorization: Bearer` where given
 * @param signal ends what is being asked, and following
 */
export function createClient(baseUrl: string, token?: string, signal?: AbortSignal) {
  const authorization: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` };

  async function ask(path: string, init: JsonRequest): Promise<Response> {
    try {
      return await fetch(new URL(path, baseUrl), {
        ...init,
        ...(signal === undefined ? {} : { signal }),
        headers: { ...authorization, ...init.headers },
      });
    } catch (cause) {
      const message = `no answer from ${baseUrl}; is it running? Start it with "causeway up"`;
      throw new Fault('unavailable', message, { cause });
    }
  }

  async function send(path: string, init: JsonRequest = {}): Promise<Response> {
    const response = await ask(path, init);
    if (response.ok) return response;
    throw faultOf(response, await response.text());
  }

  async function get<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    return schema.parse(await (await send(path)).json());
  }

  const withJson = (method: string, body: unknown): JsonRequest => ({
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

  /** @param schema of the kinds of jobs that are asked about */
  const jobCalls = <V extends JobView>(schema: z.ZodType<V>) => ({
    job: (id: string) => get(`/v1/jobs/${id}`, schema),
    async createJob(spec: unknown): Promise<V> {
      return schema.parse(await (await send('/v1/jobs', withJson('POST', spec))).json());
    },
    async cancelJob(id: string): Promise<V> {
      return schema.parse(await (await send(`/v1/jobs/${id}`, withJson('DELETE', {}))).json());
    },
    async actOnJob(id: string, action: 'pause' | 'resume' | 'redrive', body: unknown = {}): Promise<V> {
      return schema.parse(await (await send(`/v1/jobs/${id}/${action}`, withJson('POST', body))).json());
    },
    /**
     * Follows a job to its end, whatever connection is lost in between.
     * @throws Fault where there is no such job, or nobody answers for two minutes
     */
    async follow(id: string, onProgress: (job: V) => void): Promise<NonNullable<V['result']>> {
      for await (const event of eventStreams(() => send(`/v1/jobs/${id}/events`), { signal })) {
        if (event.event !== 'progress') continue;
        const job = schema.parse(JSON.parse(event.data));
        onProgress(job);
        if (job.result !== null) return job.result;
      }
      throw new Fault('internal', 'streams of events do not end');
    },
  });

  return {
    baseUrl,
    jobs: () => get('/v1/jobs', JobList),
    /** Training jobs; those of any kind are under `any`. */
    ...jobCalls<TrainView>(TrainView),
    any: jobCalls<JobView>(JobView),
    models: () => get('/v1/models', ModelList),
    /** What the model reads. @param path `/v2/models/{m}` or with a version */
    inputs: async (path: string) => (await get(path, ModelMetadata)).inputs,
    releases: (model: string) => get(`/v1/models/${model}/releases`, ReleaseList),
    /** @returns what the channel points to now */
    async rerelease(model: string, body: ReleaseRequest): Promise<Rereleased> {
      const response = await send(`/v1/models/${model}/releases`, withJson('POST', body));
      return Rereleased.parse(await response.json());
    },
    async moveChannel(
      model: string,
      channel: string,
      body: z.infer<typeof MoveChannelRequest>,
    ): Promise<void> {
      await send(`/v1/models/${model}/channels/${channel}`, withJson('POST', body));
    },

    /** @param path `/v2/models/{m}/infer` or with a version */
    async infer(path: string, body: string, headers: Record<string, string> = {}): Promise<Prediction> {
      const started = performance.now();
      const response = await send(path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body,
      });
      const parsed = (await response.json()) as InferResponse;
      return {
        body: parsed,
        target: response.headers.get(RESPONSE_HEADERS.target) ?? '',
        reason: response.headers.get(RESPONSE_HEADERS.reason) ?? '',
        variant: response.headers.get(TARGET_HEADERS.variant) ?? '',
        ms: performance.now() - started,
        serverTiming: response.headers.get(RESPONSE_HEADERS.serverTiming) ?? '',
      };
    },

    /**
     * The same, with the router's reasons: of answers that failed too.
     * @throws Fault where there is no explanation: the request was refused before anything was decided
     */
    async explain(path: string, body: string, headers: Record<string, string> = {}): Promise<Explained> {
      const started = performance.now();
      const response = await ask(`${path}?explain=1`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...headers },
        body,
      });
      const text = await response.text();
      const ms = performance.now() - started;
      const fault = response.ok ? undefined : faultOf(response, text);
      const explanation = explanationIn(text);
      if (explanation !== undefined) return { explanation, ms, fault };
      if (fault !== undefined) throw fault;
      throw new Fault('unprocessable', `the router at ${baseUrl} answered without an explanation`);
    },
  };
}

/** @returns {} for what is no JSON object: then the status says it all */
function objectIn(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function explanationIn(text: string): Explanation | undefined {
  const { explanation } = objectIn(text);
  if (explanation === undefined) return undefined;
  const { data, error } = Explanation.safeParse(explanation);
  if (data !== undefined) return data;
  const field = ['explanation', ...(error.issues[0]?.path ?? [])].join('.');
  throw new Fault('unprocessable', `${field}: the router's is not as this command knows it`, { field });
}

function faultOf(response: Response, text: string): Fault {
  const body = objectIn(text);
  const message = typeof body.error === 'string' ? body.error : `${response.status} ${response.statusText}`;
  const field = typeof body.field === 'string' ? { field: body.field } : {};
  return new Fault(codeOf(response.status), message, field);
}

function codeOf(status: number): FaultCode {
  const codes = Object.keys(FAULTS) as FaultCode[];
  return codes.find((code) => FAULTS[code].status === status) ?? (status < 500 ? 'invalid' : 'internal');
}
