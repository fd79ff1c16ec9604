import { beforeEach, describe, expect, it } from 'vitest';
import { createFixture, factorOf, type Fixture, infer, release } from './fixture.ts';

let fixture: Fixture;
beforeEach(async () => {
  fixture = createFixture();
  await release(fixture.store, 'double', { factor: 2 });
  await release(fixture.store, 'double', { factor: 3 }, null);
});

const get = async (path: string) => {
  const response = await fixture.app.request(path);
  return { status: response.status, body: await response.json() };
};
const JSON_TYPE = { 'content-type': 'application/json' };
const post = (
  path: string,
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = JSON_TYPE,
) => fixture.app.request(path, { method: 'POST', headers, body });

describe('infer', () => {
  it("answers with the stable channel's release, or the asked version", async () => {
    const stable = await infer(fixture.app, 'double');
    expect(stable.status).toBe(200);
    expect(stable.body).toEqual({
      model_name: 'double',
      model_version: '1',
      outputs: [{ name: 'y', shape: [1, 2], datatype: 'FP32', data: [2, 2] }],
    });
    expect(factorOf(await infer(fixture.app, 'double/versions/2'))).toBe(3);
  });

  it('reports in flight, service time, release and cold in its headers', async () => {
    fixture.runtime.pause = () => {
      fixture.time.now += 2.0004;
    };
    const names = ['x-causeway-in-flight', 'x-causeway-service-ms', 'x-causeway-release', 'x-causeway-cold'];
    const cold = await infer(fixture.app, 'double');
    expect(names.map((name) => cold.headers.get(name))).toEqual(['1', '4.001', '1', '1']);
    const warm = await infer(fixture.app, 'double');
    expect(names.map((name) => warm.headers.get(name))).toEqual(['1', '2', '1', '0']);
  });

  it('counts those in flight with it, and out again after faults', async () => {
    await infer(fixture.app, 'double');
    // Long enough for all three to have begun.
    fixture.runtime.pause = () => new Promise((resolve) => setTimeout(resolve, 20));
    const answers = await Promise.all([1, 2, 3].map(() => infer(fixture.app, 'double')));
    const counts = answers.map((each) => each.headers.get('x-causeway-in-flight'));
    expect(new Set(counts)).toEqual(new Set(['1', '2', '3']));
    fixture.runtime.pause = () => undefined;
    await infer(fixture.app, 'nope');
    expect((await post('/v2/models/double/infer', '{')).headers.get('x-causeway-in-flight')).toBe('1');
    expect((await infer(fixture.app, 'double')).headers.get('x-causeway-in-flight')).toBe('1');
  });

  it.each([
    ['nope', 'no model nope', 'model'],
    ['No_Such%20Name', 'no model No_Such Name', 'model'],
    ['nope/versions/1', 'no model nope', 'model'],
    ['double/versions/3', 'model double has no version 3', 'version'],
    ['double/versions/0', 'no version 0', 'version'],
    ['double/versions/01', 'no version 01', 'version'],
    ['double/versions/latest', 'no version latest', 'version'],
  ])('%s: 404 %s', async (path, message, field) => {
    const answer = await infer(fixture.app, path);
    expect(answer).toMatchObject({ status: 404, body: { field } });
    expect(answer.body.error).toContain(message);
  });

  it('says where a model has releases but none in the channel', async () => {
    await release(fixture.store, 'fresh', { factor: 5 }, null);
    const answer = await infer(fixture.app, 'fresh');
    expect(answer.status).toBe(404);
    expect(answer.body.error).toContain('no release in channel stable yet');
    expect(factorOf(await infer(fixture.app, 'fresh/versions/1'))).toBe(5);
  });

  it.each([
    ['no content type', {}],
    ['another content type', { 'content-type': 'text/plain' }],
    ['a look-alike', { 'content-type': 'application/jsonp' }],
    ['a compressed body', { ...JSON_TYPE, 'content-encoding': 'gzip' }],
  ])('%s: 415', async (_what, headers: Record<string, string>) => {
    const response = await post('/v2/models/double/infer', new TextEncoder().encode('{}'), headers);
    expect(response.status).toBe(415);
  });

  it('takes parameters of the content type', async () => {
    const answer = await infer(fixture.app, 'double', { 'content-type': 'Application/JSON; charset=utf-8' });
    expect(answer.status).toBe(200);
  });
});

describe('body limit', () => {
  beforeEach(async () => {
    fixture = createFixture({ config: { maxBodyBytes: 200 } });
    await release(fixture.store, 'double', { factor: 2 });
  });
  const large = 'x'.repeat(201);

  it('holds for a declared length, and reads the rest so that the client hears it', async () => {
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 100;
        controller.enqueue(new Uint8Array(100));
        if (sent === 300) controller.close();
      },
    });
    const headers = { ...JSON_TYPE, 'content-length': '300' };
    const init = { method: 'POST', headers, body, duplex: 'half' };
    const response = await fixture.app.request('/v2/models/double/infer', init as RequestInit);
    expect(response.status).toBe(413);
    expect(await response.json()).toEqual({
      error: 'body: at most 200 bytes are allowed',
      code: 'too_large',
      field: 'body',
    });
    expect(sent).toBe(300);
  });

  it.each([
    ['without length or end', {}],
    ['in chunks that says it is short', { 'content-length': '5', 'transfer-encoding': 'chunked' }],
  ])('holds for a stream %s', async (_, more) => {
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 1;
        controller.enqueue(new Uint8Array(100));
        if (sent === 1_000) controller.close();
      },
    });
    const init = { method: 'POST', headers: { ...JSON_TYPE, ...more }, body, duplex: 'half' };
    expect((await fixture.app.request('/v2/models/double/infer', init as RequestInit)).status).toBe(413);
    expect(sent).toBeLessThan(12);
  });

  it('is inclusive', async () => {
    expect((await post('/v2/models/double/infer', large.slice(1))).status).toBe(400);
    expect((await post('/v2/models/double/infer', large)).status).toBe(413);
    expect((await infer(fixture.app, 'double')).status).toBe(200);
  });
});

describe('metadata and health', () => {
  it('describes the server', async () => {
    expect(await get('/v2')).toEqual({
      status: 200,
      body: { name: 'causeway', version: '0.1.0', extensions: [], runtime: 'fake 1.0' },
    });
    expect((await get('/v2/health/live')).status).toBe(200);
    expect((await get('/v2/health/ready')).status).toBe(200);
  });

  it('is not ready where the store is away', async () => {
    fixture.store.before = () => Promise.reject(new Error('secret detail'));
    const answer = await get('/v2/health/ready');
    expect(answer.status).toBe(500);
    expect(JSON.stringify(answer.body)).not.toContain('secret');
    expect(fixture.reported).toHaveLength(1);
  });

  it('describes a model without loading it', async () => {
    const body = {
      name: 'double',
      versions: ['1', '2'],
      platform: 'onnxruntime_onnx',
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1, 2] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1, 2] }],
    };
    expect(await get('/v2/models/double')).toEqual({ status: 200, body });
    expect(await get('/v2/models/double/versions/2')).toEqual({ status: 200, body });
    expect((await get('/v2/models/double/versions/9')).status).toBe(404);
    expect(fixture.runtime.loads).toBe(0);
  });

  it('is ready with a model once that is loaded', async () => {
    expect(await get('/v2/models/double/versions/2/ready')).toEqual({
      status: 200,
      body: { name: 'double', version: '2', ready: true },
    });
    expect(fixture.runtime.loads).toBe(1);
    expect((await infer(fixture.app, 'double/versions/2')).headers.get('x-causeway-cold')).toBe('0');
    expect((await get('/v2/models/nope/ready')).status).toBe(404);
  });

  it('answers other paths and methods in the same form', async () => {
    expect(await get('/v2/modells')).toMatchObject({ status: 404, body: { code: 'not_found' } });
    const wrong = await fixture.app.request('/v2/models/double/infer');
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get('allow')).toBe('POST');
    expect(await wrong.json()).toMatchObject({ code: 'method_not_allowed' });
    expect((await post('/v2', '{}')).status).toBe(405);
    expect((await fixture.app.request('/v2/health/live', { method: 'HEAD' })).status).toBe(200);
  });
});
