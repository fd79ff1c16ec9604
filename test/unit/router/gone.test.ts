/** Clients that went away, and those that never wanted the whole answer: nothing is done or kept open for them. */
import { describe, expect, it } from 'vitest';
import { json, routerUnderTest } from './stand-ins.ts';

const infer = (signal: AbortSignal, headers: Record<string, string> = {}): RequestInit => ({
  method: 'POST',
  body: '{"inputs":[]}',
  headers: { 'content-type': 'application/json', ...headers },
  signal,
});

describe('a client that goes away', () => {
  it.each([{}, { 'x-causeway-target': 'cloud' }] as Record<string, string>[])(
    'while the rules of its model are asked for has nothing sent for it: %j',
    async (headers) => {
      const router = routerUnderTest();
      const client = new AbortController();
      router.tell = () => {
        client.abort();
        return new Response();
      };
      await router.ask('/v2/models/m/infer', infer(client.signal, headers));
      expect(router.seen).toEqual({ edge: [], cloud: [], jobs: [] });
      const metrics = await (await router.ask('/metrics')).text();
      expect(metrics).toContain('causeway_in_flight{target="edge"} 0');
      expect(metrics).toContain('causeway_in_flight{target="cloud"} 0');
    },
  );

  it('while the edge computes for a cascade does not have the cloud asked', async () => {
    const router = routerUnderTest();
    const client = new AbortController();
    router.answers.edge = () => {
      const outputs = [{ name: 'y', datatype: 'FP32', shape: [1, 1], data: [1] }];
      return json({ outputs }, { headers: { 'x-causeway-hard': 'all' } });
    };
    await router.infer();
    expect(router.seen.cloud.length).toBe(1);
    const { edge } = router.answers;
    router.answers.edge = async (seen, signal) => {
      const answer = await edge(seen, signal);
      const bytes = await answer.bytes();
      const { headers } = answer;
      headers.set('x-causeway-hard', '0');
      // Goes away while the router reads it.
      const body = new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            client.abort();
            controller.enqueue(bytes);
            controller.close();
          },
        },
        { highWaterMark: 0 },
      );
      return new Response(body, { headers });
    };
    await router.ask('/v2/models/m/infer', infer(client.signal));
    expect(router.seen.edge.length).toBe(2);
    expect(router.seen.cloud.length).toBe(1);
  });

  it('while a token is made for the jobs API does not have it asked', async () => {
    const router = routerUnderTest();
    const client = new AbortController();
    const answered = router.ask('/v1/jobs', { signal: client.signal });
    client.abort();
    expect((await answered).status).toBe(503);
    expect(router.seen.jobs).toEqual([]);
  });
});

describe('an answer to HEAD', () => {
  it.each([
    ['/v1/jobs/job_1/events', 'jobs'],
    ['/v2/models/m', 'edge'],
  ] as const)('of %s lets go of the body that it does not pass on', async (path, who) => {
    const router = routerUnderTest();
    let cancelled = false;
    const endless = () => new ReadableStream({ cancel: () => void (cancelled = true) });
    router.answers[who] = () => new Response(endless(), { headers: { 'content-type': 'text/event-stream' } });
    const response = await router.ask(path, { method: 'HEAD' });
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      200,
      'text/event-stream',
      '',
    ]);
    expect(cancelled).toBe(true);
  });
});
