/**
 * A point of presence as a Durable Object, one for each of Cloudflare's data centres: it keeps the newest summary of
 * each router isolate there, and answers one with what all the others know. It stores nothing: what it forgets when
 * it is moved or idle, the next exchanges tell it again.
 */
import { SHARED_BYTES, Telling } from '../../core/contracts/sharing.ts';
import { readJsonBytes } from '../../core/inference/body.ts';
import { type Gathering, heard, NOBODY, toldTo } from '../../core/routing/gathering.ts';

export class PointOfPresence {
  #gathering: Gathering = NOBODY;

  /** Only the router's isolates reach it. */
  async fetch(request: Request): Promise<Response> {
    let telling: Telling;
    try {
      const body = await readJsonBytes(request, SHARED_BYTES);
      telling = Telling.parse(JSON.parse(new TextDecoder().decode(body)));
    } catch {
      // An isolate of another version, while a deployment spreads.
      return Response.json({ error: 'must be a telling of this version' }, { status: 400 });
    }
    const now = Date.now();
    this.#gathering = heard(this.#gathering, telling, now);
    return Response.json(toldTo(this.#gathering, telling.isolate, now));
  }
}
