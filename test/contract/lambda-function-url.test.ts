import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import {
  createFunction,
  type FunctionOptions,
  type LambdaFunction,
} from '../../infra/local/lambda/function.ts';
import { type FunctionUrl, startFunctionUrl } from '../../infra/local/lambda/function-url.ts';

let target: LambdaFunction | undefined;
let served: FunctionUrl | undefined;
afterEach(async () => {
  await served?.stop({ drainMs: 0 });
  await target?.stop({ drainMs: 0 });
});

type InvokeMode = 'BUFFERED' | 'RESPONSE_STREAM';

async function serve(
  handler: string,
  invokeMode: InvokeMode = 'BUFFERED',
  options: Partial<FunctionOptions> = {},
) {
  target = createFunction({
    name: 'served',
    handlerFile: new URL(`../fixtures/handlers/${handler}.ts`, import.meta.url),
    timeoutMs: 5_000,
    maxConcurrency: 2,
    log: () => {},
    ...options,
  });
  served = await startFunctionUrl({ target, invokeMode });
  return served.url;
}

/** A request of which nothing is normalized on its way. */
async function rawExchange(url: string, text: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(text);
  let answer = '';
  for await (const piece of socket) answer += String(piece);
  return answer;
}

describe('the event', () => {
  it('has the shape of the documented example', async () => {
    const url = await serve('url-echo');
    const answer = await rawExchange(
      url,
      [
        'POST /my/path?parameter1=value1&parameter1=value2&parameter2=value HTTP/1.1',
        'Host: id.lambda-url.us-west-2.on.aws',
        'Header1: value1',
        'Header2: value1',
        'header2: value2',
        'Cookie: cookie1=1; cookie2=2',
        'User-Agent: agent',
        'Content-Type: text/plain',
        'Content-Length: 18',
        'Connection: close',
        '',
        'Hello from client!',
      ].join('\r\n'),
    );
    const event: unknown = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4));
    expect(event).toEqual({
      version: '2.0',
      routeKey: '$default',
      rawPath: '/my/path',
      rawQueryString: 'parameter1=value1&parameter1=value2&parameter2=value',
      cookies: ['cookie1=1', 'cookie2=2'],
      headers: {
        host: 'id.lambda-url.us-west-2.on.aws',
        header1: 'value1',
        header2: 'value1,value2',
        'user-agent': 'agent',
        'content-type': 'text/plain',
        'content-length': '18',
        connection: 'close',
        'x-forwarded-for': '127.0.0.1',
        'x-forwarded-proto': 'http',
      },
      queryStringParameters: { parameter1: 'value1,value2', parameter2: 'value' },
      requestContext: {
        accountId: 'anonymous',
        apiId: 'served',
        domainName: 'id.lambda-url.us-west-2.on.aws',
        domainPrefix: 'served',
        http: {
          method: 'POST',
          path: '/my/path',
          protocol: 'HTTP/1.1',
          sourceIp: '127.0.0.1',
          userAgent: 'agent',
        },
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        routeKey: '$default',
        stage: '$default',
        time: expect.stringMatching(/^\d\d\/[A-Z][a-z]{2}\/\d{4}:\d\d:\d\d:\d\d \+0000$/),
        timeEpoch: expect.closeTo(Date.now(), -4),
      },
      body: 'Hello from client!',
      isBase64Encoded: false,
    });
  });

  it('carries binary bodies both ways', async () => {
    const url = await serve('url-echo');
    const body = Uint8Array.from({ length: 1_000 }, (_, n) => n % 256);
    const answer = await fetch(`${url}/binary`, { method: 'POST', body });
    expect(answer.headers.get('content-type')).toBe('application/octet-stream');
    expect(new Uint8Array(await answer.arrayBuffer())).toEqual(body);
  });
});

describe('the answer', () => {
  const ask = async (url: string, result: unknown) =>
    fetch(`${url}/raw`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(result),
    });

  it('is what the handler says', async () => {
    const url = await serve('url-echo');
    const answer = await ask(url, {
      statusCode: 418,
      headers: { 'X-Custom': 'yes', 'content-length': '9999', connection: 'close' },
      cookies: ['a=1', 'b=2; Path=/'],
      body: 'short and stout',
    });
    expect(answer.status).toBe(418);
    expect(answer.headers.get('x-custom')).toBe('yes');
    expect(answer.headers.getSetCookie()).toEqual(['a=1', 'b=2; Path=/']);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.headers.get('x-amzn-requestid')).toMatch(/^[0-9a-f-]{36}$/);
    expect(await answer.text()).toBe('short and stout');
  });

  it.each([[{ message: 'Hello' }], ['Hello'], [null], [[1, 2]]])(
    '%j without a status is a 200',
    async (result) => {
      const answer = await ask(await serve('url-echo'), result);
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/json']);
      expect(await answer.json()).toEqual(result);
    },
  );

  it.each([
    [{ statusCode: '200' }],
    [{ statusCode: 99 }],
    [{ statusCode: 200, body: { not: 'text' } }],
    [{ statusCode: 200, headers: 'none' }],
    [{ statusCode: 200, headers: { 'bad name': 'x' } }],
    [{ statusCode: 200, headers: { good: 'bad\r\nvalue' } }],
    [{ statusCode: 200, cookies: 'a=1' }],
  ])('%j is malformed: 502', async (result) => {
    const answer = await ask(await serve('url-echo'), result);
    expect([answer.status, await answer.text()]).toEqual([502, 'Internal Server Error']);
  });

  it('is 502 where the handler throws, crashes or is too slow', async () => {
    const thrown = await fetch(`${await serve('url-echo')}/throw`);
    expect([thrown.status, await thrown.text()]).toEqual([502, 'Internal Server Error']);
    await served?.stop();
    await target?.stop();
    const slow = await fetch(`${await serve('url-echo', 'BUFFERED', { timeoutMs: 100 })}/wait`);
    expect([slow.status, await slow.text()]).toEqual([502, 'Internal Server Error']);
  });

  it('is 429 where nothing is free', async () => {
    const url = await serve('url-echo', 'BUFFERED', { maxConcurrency: 1, queueLimit: 0 });
    await target?.warm(1);
    const first = fetch(`${url}/wait`);
    await until(() => target?.stats().busy === 1);
    const second = await fetch(`${url}/wait`);
    expect([second.status, second.headers.get('x-amzn-errortype')]).toEqual([
      429,
      'TooManyRequestsException',
    ]);
    expect(await second.json()).toMatchObject({ message: 'Rate Exceeded.' });
    expect((await first).status).toBe(200);
  });

  it.each([
    ['declared', 7 * 1024 * 1024, 'text/plain'],
    // 5 MB fit, but not in base64.
    ['in base64', 5 * 1024 * 1024, 'application/octet-stream'],
  ])('is 413 over 6 MB, %s', async (_name, bytes, type) => {
    const url = await serve('url-echo');
    expect(await post(url, new Uint8Array(bytes), type)).toBe(413);
    expect((await fetch(url)).status).toBe(200);
  });

  it('is 413 over 6 MB that nobody announced', async () => {
    const url = await serve('url-echo');
    const request = httpRequest(url, { method: 'POST', headers: { 'content-type': 'text/plain' } });
    request.on('error', () => {});
    const answered = once(request, 'response') as Promise<[{ statusCode: number }]>;
    for (let n = 0; n < 8; n++) request.write(Buffer.alloc(1024 * 1024));
    const [response] = await answered;
    expect(response.statusCode).toBe(413);
    request.destroy();
  });

  it('to HEAD has no body, and connections are kept', async () => {
    const url = await serve('url-echo');
    const answer = await rawExchange(
      url,
      'HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET /raw HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    );
    expect(answer.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
    expect(answer.endsWith('\r\n\r\nnull')).toBe(true);
  });

  it('goes on where a client hung up', async () => {
    const url = await serve('url-echo');
    const hangUp = new AbortController();
    const gone = fetch(`${url}/wait`, { signal: hangUp.signal });
    await until(() => target?.stats().busy === 1);
    hangUp.abort();
    await expect(gone).rejects.toMatchObject({ name: 'AbortError' });
    const halfSent = connect(Number(new URL(url).port), '127.0.0.1');
    halfSent.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf');
    halfSent.destroy();
    expect((await fetch(url)).status).toBe(200);
    await until(() => target?.stats().busy === 0);
    expect(target?.stats()).toMatchObject({ failures: 0 });
  });
});

describe('a streamed answer', () => {
  it('arrives in pieces', async () => {
    const url = await serve('streaming', 'RESPONSE_STREAM');
    await target?.warm(1);
    const answer = await fetch(`${url}/events`);
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    const arrivals: { text: string; at: number }[] = [];
    for await (const piece of answer.body ?? []) {
      arrivals.push({ text: new TextDecoder().decode(piece), at: performance.now() });
    }
    expect(arrivals.map(({ text }) => text)).toEqual([0, 1, 2].map((n) => `event: tick\ndata: ${n}\n\n`));
    expect((arrivals[2]?.at ?? 0) - (arrivals[0]?.at ?? 0)).toBeGreaterThan(250);
  });

  it('has the status, headers and cookies of the application', async () => {
    const url = await serve('streaming', 'RESPONSE_STREAM');
    const answer = await fetch(`${url}/json?q=7`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', cookie: 'x=1; y=2' },
      body: '{"ü":1}',
    });
    expect(answer.status).toBe(201);
    expect(answer.headers.getSetCookie()).toEqual(['a=1; Path=/', 'b=2; Path=/']);
    expect(await answer.json()).toEqual({ got: { ü: 1 }, query: '7', cookie: 'x=1; y=2' });
    const empty = await fetch(`${url}/nothing`);
    expect([empty.status, await empty.text()]).toEqual([204, '']);
  });

  it('may be large, and is whole', async () => {
    const url = await serve('streaming', 'RESPONSE_STREAM');
    const answer = await fetch(`${url}/bytes/20000001`);
    const body = new Uint8Array(await answer.arrayBuffer());
    expect(body.length).toBe(20_000_001);
    expect(body.every((byte) => byte === 7)).toBe(true);
  });

  it('goes on, as on AWS, where the client hung up', async () => {
    const url = await serve('streaming', 'RESPONSE_STREAM', { maxConcurrency: 1 });
    const hangUp = new AbortController();
    const answer = await fetch(`${url}/slow`, { signal: hangUp.signal });
    hangUp.abort();
    await expect(answer.text()).rejects.toThrow();
    await until(() => target?.stats().busy === 0);
    expect(await (await fetch(`${url}/written`)).json()).toEqual({ written: 20 });
    expect(target?.stats()).toMatchObject({ failures: 0, coldStarts: 1 });
  });

  it.each([
    ['/plain', 200, 'text/plain', 'Hello, world!'],
    ['/throw-first', 502, 'application/json', 'Internal Server Error'],
    ['/malformed', 502, 'application/json', 'Internal Server Error'],
    ['/empty', 200, 'application/octet-stream', ''],
  ])('of %s is %d', async (path, status, type, text) => {
    const url = await serve('streaming-raw', 'RESPONSE_STREAM');
    const answer = await fetch(url + path);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([status, type]);
    expect(await answer.text()).toBe(text);
  });

  it('is cut off where the handler fails half way', async () => {
    const url = await serve('streaming-raw', 'RESPONSE_STREAM');
    const answer = await fetch(`${url}/throw-later`);
    expect(answer.status).toBe(200);
    await expect(answer.text()).rejects.toThrow();
  });

  it('needs the streaming mode; a handler that does not stream works in both', async () => {
    expect((await fetch(`${await serve('streaming')}/json`)).status).toBe(502);
    await served?.stop();
    await target?.stop();
    const answer = await fetch(await serve('url-echo', 'RESPONSE_STREAM'));
    expect(await answer.json()).toMatchObject({ rawPath: '/' });
  });
});

async function until(condition: () => boolean, deadlineMs = 5_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** @returns the status; a server that answers early may also close before the body is sent */
async function post(url: string, body: Uint8Array, type: string): Promise<number> {
  const request = httpRequest(url, {
    method: 'POST',
    headers: { 'content-type': type, 'content-length': body.length },
  });
  request.on('error', () => {});
  request.end(body);
  const [response] = (await once(request, 'response')) as [{ statusCode: number }];
  request.destroy();
  return response.statusCode;
}
