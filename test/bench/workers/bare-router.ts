/** Bench only, never deployed: the least a router can do, which is to hand the request on and the answer back. */
interface Bindings {
  readonly INFERENCE: { fetch(url: string, init: RequestInit): Promise<Response> };
}

export default {
  async fetch({ method, body }: Request, { INFERENCE }: Bindings): Promise<Response> {
    const answer = await INFERENCE.fetch('http://inference/', { method, body });
    return new Response(answer.body, answer);
  },
};
