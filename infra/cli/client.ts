/** The public HTTP API as the command line uses it: answers checked against the contracts, errors as Faults. */
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { z } from 'zod';
import { JobList, type JobResult, JobView } from '../../core/contracts/job.ts';
import { type MoveChannelRequest, ModelList, ReleaseList } from '../../core/contracts/release.ts';
import { RESPONSE_HEADERS, TARGET_HEADERS } from '../../core/contracts/headers.ts';
import { Fault, FAULTS, type FaultCode } from '../../core/errors.ts';

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

interface JsonRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export type Client = ReturnType<typeof createClient>;

/** @param token sent as `authorization: Bearer` where given */
/** Of the Open Inference Protocol's model metadata, what a request is made of. */
const ModelMetadata = z.object({
  inputs: z.array(z.object({ name: z.string(), datatype: z.string() })),
});

export function createClient(baseUrl: string, token?: string) {
  const authorization: Record<string, string> =
    token === undefined ? {} : { authorization: `Bearer ${token}` };

  async function send(path: string, init: JsonRequest = {}): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(new URL(path, baseUrl), {
        ...init,
        headers: { ...authorization, ...init.headers },
      });
    } catch (cause) {
      const message = `no answer from ${baseUrl}; is it running? Start it with "causeway up"`;
      throw new Fault('unavailable', message, { cause });
    }
    if (response.ok) return response;
    throw await faultOf(response);
  }

  async function get<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    return schema.parse(await (await send(path)).json());
  }

  const withJson = (method: string, body: unknown): JsonRequest => ({
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

  return {
    baseUrl,
    jobs: () => get('/v1/jobs', JobList),
    job: (id: string) => get(`/v1/jobs/${id}`, JobView),
    async createJob(spec: unknown): Promise<JobView> {
      return JobView.parse(await (await send('/v1/jobs', withJson('POST', spec))).json());
    },
    async cancelJob(id: string): Promise<JobView> {
      return JobView.parse(await (await send(`/v1/jobs/${id}`, withJson('DELETE', {}))).json());
    },
    models: () => get('/v1/models', ModelList),
    /** What the model reads. @param path `/v2/models/{m}` or with a version */
    inputs: async (path: string) => (await get(path, ModelMetadata)).inputs,
    releases: (model: string) => get(`/v1/models/${model}/releases`, ReleaseList),
    async moveChannel(
      model: string,
      channel: string,
      body: z.infer<typeof MoveChannelRequest>,
    ): Promise<void> {
      await send(`/v1/models/${model}/channels/${channel}`, withJson('POST', body));
    },

    /** Follows a job to its end, whatever connection is lost in between. */
    async follow(id: string, onProgress: (job: JobView) => void): Promise<JobResult> {
      for (;;) {
        const { body } = await send(`/v1/jobs/${id}/events`);
        const events = body?.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
        for await (const event of events ?? []) {
          if (event.event !== 'progress') continue;
          const job = JobView.parse(JSON.parse(event.data));
          onProgress(job);
          if (job.result !== null) return job.result;
        }
      }
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
  };
}

async function faultOf(response: Response): Promise<Fault> {
  const text = await response.text();
  let body: { error?: unknown; code?: unknown; field?: unknown } = {};
  try {
    body = JSON.parse(text) as typeof body;
  } catch {
    // Not our error body: the status says it all.
  }
  const message = typeof body.error === 'string' ? body.error : `${response.status} ${response.statusText}`;
  const field = typeof body.field === 'string' ? { field: body.field } : {};
  return new Fault(codeOf(response.status), message, field);
}

function codeOf(status: number): FaultCode {
  const codes = Object.keys(FAULTS) as FaultCode[];
  return codes.find((code) => FAULTS[code].status === status) ?? (status < 500 ? 'invalid' : 'internal');
}
