import { Hono } from 'hono';
import { parse } from '../../core/contracts/parse.ts';
import { Name } from '../../core/contracts/primitives.ts';
import { MoveChannelRequest, ReleaseRequest } from '../../core/contracts/release.ts';
import { Fault } from '../../core/errors.ts';
import { moveChannel } from '../../core/registry/channels.ts';
import { listModels, listReleases } from '../../core/registry/listing.ts';
import { rerelease } from '../../core/registry/rerelease.ts';
import type { ApiContext } from './context.ts';
import { jsonBody } from './json-body.ts';

/** Releases on the one page that `GET …/releases` answers. */
const LISTED_RELEASES = 50;

export function modelRoutes({ store, now }: ApiContext): Hono {
  return new Hono()
    .get('/', async (c) => c.json({ models: await listModels(store) }))
    .get('/:model/releases', async (c) => {
      const model = c.req.param('model');
      // A name that cannot be one is simply not there.
      const releases = Name.safeParse(model).success ? await listReleases(store, model, LISTED_RELEASES) : [];
      if (releases.length === 0) throw new Fault('not_found', `no model ${model}`, { field: 'model' });
      return c.json({ releases });
    })
    .post('/:model/releases', async (c) => {
      const model = c.req.param('model');
      const request = parse(ReleaseRequest, await jsonBody(c.req));
      if (!Name.safeParse(model).success)
        throw new Fault('not_found', `no model ${model}`, { field: 'model' });
      const release = await rerelease(store, { model, ...request }, now());
      return c.json({ model, channel: request.channel, release }, 201);
    })
    .post('/:model/channels/:channel', async (c) => {
      const { model, channel } = c.req.param();
      const { release } = parse(MoveChannelRequest, await jsonBody(c.req));
      await moveChannel(store, model, channel, release, now());
      return c.json({ model, channel, release });
    });
}
