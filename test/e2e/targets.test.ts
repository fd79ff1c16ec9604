/** Several targets in workerd: the real inference Worker's variants, regions of the cloud, and a release's own rules. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { answerJson, type CloudAnswer, release, type RouterFixture, startRouter } from './router-fixture.ts';

const TARGET = 'x-causeway-target';
const said = ({ status, headers }: Response) =>
  `${status} ${headers.get(TARGET)} ${headers.get('x-causeway-reason')}`;
const variant = ({ headers }: Response) => headers.get('x-causeway-variant');

let router: RouterFixture;
beforeAll(async () => {
  router = await startRouter((cloud) => ({
    CLOUD_URL: '',
    CLOUD_COST: '',
    CLOUD_REGIONS: JSON.stringify({
      eu: { url: `${cloud}/eu`, cost: 2 },
      us: { url: `${cloud}/us`, cost: 5 },
    }),
  }));
  await release(router.store, 'plain', 'job_plain000');
  await release(router.store, 'both', 'job_both0000', false, { int8: true });
  await release(router.store, 'exact', 'job_exact000', false, { int8: true, routing: { variant: 'fp32' } });
  await release(router.store, 'private', 'job_private0', false, { routing: { exclude: ['cloud'] } });
  await release(router.store, 'broken', 'job_broken00', true, { routing: { exclude: ['cloud'] } });
  await release(router.store, 'distant', 'job_distant0', false, { routing: { target: 'cloud-us' } });
});
afterAll(() => router?.stop());

/** Each region says which it is. */
const byRegion: CloudAnswer = (request, response) =>
  answerJson(200, { by: request.path.split('/')[1] })(request, response);
beforeEach(() => {
  router.cloud.answer = byRegion;
  router.cloud.requests.length = 0;
});
/** Requests that came with something to compute. */
/** A model's that reached the cloud; others' may still be under way, to learn from. */
const payloads = (model: string) =>
  router.cloud.requests.filter(({ method, path }) => method === 'POST' && path.includes(`/models/${model}/`));

describe('variants of the edge', () => {
  test('are asked for by name, and the one that is asked for answers', async () => {
    const usual = await router.infer('both');
    expect([said(usual), variant(usual)]).toEqual(['200 edge-int8 no-estimate', 'int8']);
    for (const name of ['fp32', 'int8']) {
      const response = await router.infer('both', { [TARGET]: `edge-${name}` });
      expect([said(response), variant(response)]).toEqual([`200 edge-${name} pinned`, name]);
    }
    const one = await router.infer('plain');
    expect([one.headers.get(TARGET), variant(one)]).toEqual(['edge', 'fp32']);
    expect((await router.infer('plain', { [TARGET]: 'edge-int8' })).status).toBe(422);
  });

  test('the usual one is as the release says', async () => {
    const usual = await router.infer('exact', { [TARGET]: 'edge-only' });
    expect(variant(usual)).toBe('fp32');
    const again = await router.infer('exact', { [TARGET]: 'edge-only' });
    expect([said(again), variant(again)]).toEqual(['200 edge-fp32 only-target', 'fp32']);
  });
});

describe('regions of the cloud', () => {
  test('are asked by name, and bound by what a request may cost', async () => {
    for (const region of ['eu', 'us']) {
      const response = await router.infer('plain', { [TARGET]: `cloud-${region}` });
      expect(said(response)).toBe(`200 cloud-${region} pinned`);
      expect(await response.json()).toEqual({ by: region });
    }
    const cheap = { [TARGET]: 'cloud', 'x-causeway-cost-ceiling': '2' };
    expect(said(await router.infer('plain', cheap))).toBe('200 cloud-eu pinned');
    expect((await router.infer('plain', { ...cheap, 'x-causeway-cost-ceiling': '1' })).status).toBe(422);
  });

  test('one that fails is made good by the other', async () => {
    router.cloud.answer = (request, response) =>
      request.path.startsWith('/eu/')
        ? answerJson(500, { error: 'no' })(request, response)
        : byRegion(request, response);
    for (let i = 0; i < 8; i++)
      expect((await router.infer('plain', { [TARGET]: 'cloud-only' })).headers.get(TARGET)).toBe('cloud-us');
  });
});

describe('a release', () => {
  test('keeps its requests at the edge, from the first one on', async () => {
    expect((await router.infer('private', { [TARGET]: 'cloud' })).status).toBe(422);
    expect(said(await router.infer('private'))).toBe('200 edge only-target');
    expect(payloads('private')).toEqual([]);
  });

  test('says where its requests go that do not say it', async () => {
    expect(said(await router.infer('distant'))).toBe('200 cloud-us pinned');
    expect(said(await router.infer('distant', { [TARGET]: 'edge' }))).toMatch(/^200 edge pinned$/);
  });
});

test('what no target can answer in time is refused at once', async () => {
  router.cloud.answer = (request, response) => void setTimeout(() => byRegion(request, response), 300);
  for (let i = 0; i < 8; i++)
    expect(said(await router.infer('plain', { [TARGET]: 'cloud-us' }))).toBe('200 cloud-us pinned');
  router.cloud.requests.length = 0;
  const asked = performance.now();
  const response = await router.infer('plain', { [TARGET]: 'cloud-us', 'x-causeway-deadline-ms': '100' });
  expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1']);
  expect(performance.now() - asked).toBeLessThan(300);
  expect(payloads('plain')).toEqual([]);
});

test('what must not leave does not, though the edge fails until it is ejected', async () => {
  for (let i = 0; i < 7; i++) expect((await router.infer('broken')).status).toBeGreaterThanOrEqual(500);
  expect(payloads('broken')).toEqual([]);
});
