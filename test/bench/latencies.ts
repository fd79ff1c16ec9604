/** One connection, one request after another, with a clock finer than the load generator's milliseconds. */
import { Agent, request } from 'node:http';

export interface Latencies {
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Requests per second. */
  readonly rate: number;
}

export async function latencies(url: string, payload: string, requests: number): Promise<Latencies> {
  const times = new Float64Array(requests);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const began = performance.now();
  for (let i = 0; i < requests; i++) {
    const sent = performance.now();
    await post(url, payload, agent);
    times[i] = performance.now() - sent;
  }
  const seconds = (performance.now() - began) / 1000;
  agent.destroy();
  times.sort();
  const at = (q: number) => times[Math.floor(q * requests)] ?? 0;
  return { p50: at(0.5), p99: at(0.99), rate: requests / seconds };
}

/** node:http costs a third of fetch here, and the client's own time is in every figure. */
function post(url: string, payload: string, agent: Agent): Promise<void> {
  const headers = {
    'content-type': 'application/json',
    'content-length': payload.length,
    'x-causeway-target': 'edge',
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', headers, agent }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`status ${response.statusCode}`));
      response.resume().on('end', resolve);
    });
    sent.on('error', reject);
    sent.end(payload);
  });
}
