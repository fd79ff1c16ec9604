/** Reads what the answering router isolate has seen. */
import { read } from './api.js';
import { say } from './dom.js';
import { PLACES, PLACE_NAMES, byPlace } from './places.js';
import { withReading } from './rates.js';
import { known, tell } from './state.js';

export async function lookAtRouting() {
  const answer = await read('/v1/routing');
  const places = byPlace(answer.targets);
  const at = performance.now() / 1000;
  const requests = { edge: places.edge.requests, cloud: places.cloud.requests };
  known.readings = withReading(known.readings, { at, ...requests });
  const before = known.routing?.places;
  for (const name of PLACE_NAMES)
    if (before !== undefined && before[name].state !== places[name].state)
      say(`${PLACES[name].name} is ${places[name].state}`);
  known.routing = { ...answer, places };
  tell('routing');
}
