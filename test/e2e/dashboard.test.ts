/**
 * The dashboard in headless Chromium, under a strict content security policy.
 * SCREENSHOTS=DIR keeps pictures of what it shows.
 */
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { CHROMIUM, launchChromium, openDashboard, type OpenedPage, type View } from './dashboard-browser.ts';
import {
  BATCH_JOB,
  batchAt,
  busyWorld,
  ENDED_JOB,
  endedJob,
  FAILED_JOB,
  jobAt,
  languageJob,
  release,
  RUNNING_JOB,
  trafficOf,
} from './dashboard-samples.ts';
import { batchTimelineAt, timelineAt } from './dashboard-timelines.ts';
import { emptyWorld, serveWorld, type World, type WorldServer } from './dashboard-world.ts';

if (CHROMIUM === undefined)
  console.warn('dashboard tests skipped: no Chromium found; install one, or set CHROMIUM_PATH');

/** The page looks again every few seconds. */
const SOON = { timeout: 10_000, interval: 100 };
const textOf = (page: Page, selector: string) => async () => (await page.textContent(selector)) ?? '';
const attributeOf = (page: Page, selector: string, name: string) => async () =>
  (await page.getAttribute(selector, name)) ?? '';
/** Corners of a chart's curve. */
const pointsOf = (page: Page, chart: string) => async () =>
  ((await page.getAttribute(`${chart} .curve`, 'd')) ?? '').split(/[ML]/).length - 1;

describe.skipIf(CHROMIUM === undefined)('dashboard', () => {
  let browser: Browser;
  const open: { server: WorldServer; opened: OpenedPage }[] = [];

  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());
  afterEach(async () => {
    for (const { server, opened } of open.splice(0)) {
      await opened.close();
      await server.stop();
      expect(server.violations).toEqual([]);
    }
  });

  async function look(world: World, view: View = {}) {
    const server = await serveWorld(world);
    const opened = await openDashboard(browser, server.url, view);
    open.push({ server, opened });
    return { server, ...opened };
  }
  async function keep(page: Page, name: string): Promise<void> {
    const folder = process.env['SCREENSHOTS'];
    if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  }

  test('shows jobs, curves, releases, split, latency and reasons', async () => {
    const { page, complaints } = await look(busyWorld());
    await expect.poll(textOf(page, '#link-state'), SOON).toContain('Live');
    await expect.poll(() => page.locator('#job-list a').count(), SOON).toBe(3);

    expect(await page.textContent('#job-name')).toBe('mnist on mnist version 1');
    await expect.poll(pointsOf(page, '#loss-chart'), SOON).toBe(9);
    expect(await pointsOf(page, '#metric-chart')()).toBe(9);
    expect(await page.textContent('#metric-chart h3')).toBe('Accuracy');
    const tiles = await page.textContent('#job-tiles');
    for (const figure of ['9 of 20', '41.8K samples/s', 'Time left']) expect(tiles).toContain(figure);

    await expect.poll(() => page.locator('#models tbody tr').count(), SOON).toBe(2);
    const newest = await page.locator('#models tbody tr').first().textContent();
    for (const figure of ['stable', 'canary', 'F32', '97.78 %', '+0.37', '408 kB', ENDED_JOB])
      expect(newest).toContain(figure);

    expect(await page.getAttribute('#split', 'aria-label')).toBe(
      'Edge 88.8 %, cloud 11.2 % of 20,550 requests',
    );
    expect(await page.textContent('#targets')).toContain('30 ms');
    // Medians of the recent decisions' actual less expected time.
    expect(await page.locator('#targets td[data-label="Off by"]').allTextContents()).toEqual([
      '−0.1 ms',
      '+8.6 ms',
    ]);
    expect(await page.locator('#decisions tbody tr').count()).toBe(12);
    expect(await page.textContent('#decisions')).toContain('fallback');
    expect(complaints).toEqual([]);
  });

  test('shows regions and variants by name, and what they are together', async () => {
    const world = busyWorld();
    const { targets, recent } = trafficOf(300, 100);
    const regions = { 'cloud-eu': targets.cloud, 'cloud-us': { ...targets.cloud, requests: 200, p50Ms: 40 } };
    const none = { configured: false, requests: 0, inFlight: 0, p50Ms: null, p95Ms: null, p99Ms: null };
    world.routing = {
      targets: { ...targets, cloud: { ...targets.cloud, ...none }, ...regions },
      recent: recent.map((row) => ({ ...row, target: row.target === 'edge' ? 'edge-int8' : 'cloud-us' })),
    };
    const { page, complaints } = await look(world);
    await expect.poll(() => page.locator('#decisions tbody tr').count(), SOON).toBe(12);
    expect(await page.getAttribute('#split', 'aria-label')).toBe('Edge 50.0 %, cloud 50.0 % of 600 requests');
    const names = await page.locator('#targets tbody .key').allTextContents();
    expect(names.map((name) => name.replace(/^\W+/, ''))).toEqual(['Edge', 'Cloud-eu', 'Cloud-us']);
    // What the edge's variants were off by is the edge's.
    expect(await page.locator('#targets td[data-label="Off by"]').allTextContents()).toEqual([
      '−0.1 ms',
      '–',
      '+8.6 ms',
    ]);
    expect(await page.textContent('#decisions')).toContain('Edge-int8');
    expect(complaints).toEqual([]);
  });

  test('follows a job over its event stream to its end and release', async () => {
    const world = { ...emptyWorld(), jobs: [jobAt(1)] };
    const { page, server, complaints } = await look(world);
    await expect.poll(pointsOf(page, '#loss-chart'), SOON).toBe(1);

    const looks = server.asked(`/v1/jobs/${RUNNING_JOB}`);
    for (const round of [2, 3, 4]) server.publish(jobAt(round));
    await expect.poll(pointsOf(page, '#loss-chart'), SOON).toBe(4);
    expect(server.asked(`/v1/jobs/${RUNNING_JOB}`)).toBe(looks);
    expect(await page.getAttribute('#job-progress', 'aria-valuenow')).toBe('4');
    expect(await page.locator('#metric-chart .rule').count()).toBe(0);

    world.releases = [release(1, RUNNING_JOB, 0.9781, 0)];
    world.channels = { stable: 1 };
    server.publish(endedJob(RUNNING_JOB, 1, 0.9781));
    await expect.poll(textOf(page, '#metric-chart'), SOON).toContain('test 97.81 %');
    expect(await page.locator('#metric-chart .rule').count()).toBe(1);
    expect(await page.textContent('#job-status')).toContain('succeeded');
    expect(await page.textContent('#spoken')).toBe('Training of mnist succeeded: test accuracy 97.81 %');
    await expect.poll(textOf(page, '#models'), SOON).toContain('97.81 %');
    expect(complaints).toEqual([]);
  });

  test('follows a batch inference, whose course is rows and not a curve', async () => {
    const world = { ...busyWorld(), jobs: [batchAt(3), endedJob(ENDED_JOB, 2, 0.9778)] };
    world.timelines = { [BATCH_JOB]: batchTimelineAt(3) };
    const { page, server, complaints } = await look(world);
    await expect.poll(textOf(page, '#job-tiles'), SOON).toContain('Rows22,500 of 60,000');
    expect(await page.textContent('#job-name')).toBe('mnist on mnist version 1');
    expect(await page.getAttribute('#job-progress', 'aria-valuenow')).toBe('3');
    expect(await page.locator('#loss-chart').isVisible()).toBe(false);
    expect(await page.locator('#job-list a').first().textContent()).toContain('22,500 of 60,000 rows');
    const timeline = attributeOf(page, '#timeline svg.gantt', 'aria-label');
    await expect.poll(timeline, SOON).toMatch(/^Timeline of parts 0 to 7: 3 executions in 850 ms\.$/);

    world.timelines = { [BATCH_JOB]: batchTimelineAt(8) };

    server.publish({
      ...batchAt(8),
      status: 'succeeded',
      secondsLeft: 0,
      result: {
        v: 1,
        job: BATCH_JOB,
        status: 'succeeded',
        endedAt: new Date().toISOString(),
        rows: 60_000,
        output: { manifest: `outputs/${BATCH_JOB}/manifest.json`, shards: 8, bytes: 2_400_000 },
      },
    });
    await expect.poll(textOf(page, '#job-tiles'), SOON).toContain('Files8');
    await expect.poll(() => page.locator('#timeline [data-item] .bar').count(), SOON).toBe(8);
    expect(await page.locator('#timeline .tick').allTextContents()).toContain('7');
    await keep(page, 'parts');
    expect(await page.textContent('#spoken')).toContain('Batch inference of mnist succeeded');
    await page.locator(`#job-list a[href="#${ENDED_JOB}"]`).click();
    await expect.poll(() => page.locator('#loss-chart').isVisible(), SOON).toBe(true);
    expect(complaints).toEqual([]);
  });

  test('shows when and where the shards of each round ran, and which are missing', async () => {
    const world = { ...busyWorld(), timelines: { [RUNNING_JOB]: timelineAt(9) } };
    const { page, server, complaints } = await look(world);
    const bars = () => page.locator('#timeline .bar.train').count();
    await expect.poll(() => page.locator('#timeline svg.gantt').first().isVisible(), SOON).toBe(true);
    const summary = await page.getAttribute('#timeline svg.gantt', 'aria-label');
    expect(summary).toMatch(
      /^Timeline of rounds 0 to 9 of 4 shards: 38 executions in 14\.\d s, 1 by a backup copy, 1 delivered again, 1 handed on, 2 missing, 2 open\.$/,
    );
    // A bar for each execution, told by colour and by pattern.
    expect(await bars()).toBe(35 + 1);
    expect(await page.locator('#timeline [data-item] [fill="url(#hatch-copy)"]').count()).toBe(1);
    expect(await page.locator('#timeline [data-item] [fill="url(#hatch-again)"]').count()).toBe(1);
    expect(await page.locator('#timeline [data-item] .cross').count()).toBe(2);
    expect(await page.locator('#timeline [data-item] .late').count()).toBe(1);
    expect(await page.locator('#timeline .commit').count()).toBe(9);
    const legend = (await page.textContent('#timeline .legend'))!;
    for (const word of ['backup copy', 'delivered again', 'handed on', 'missing', 'too late'])
      expect(legend).toContain(word);
    const titles = await page.locator('#timeline title').allTextContents();
    for (const told of [
      /^round 2, shard 1: 600 ms, from [\d:]+, on worker-2, execution 2 of 2, handed on to$/,
      /^round 4, shard 3: 700 ms, from [\d:]+, on worker-1, 710 ms after it was announced, backup copy 1$/,
      /^round 5, shard 0: 800 ms, .*, delivery 2$/,
      /^round 6, shard 2: missing: the round was closed without it$/,
      /^round 7, shard 2: lost: training diverged: the loss is NaN$/,
      /^round 8, shard 2: 1.9 s, .*, too late: the round was closed$/,
      /^round 9, shard 3: no update yet$/,
      /^round 0: merged in 180 ms, committed at [\d:]+$/,
    ])
      expect(titles.filter((title) => told.test(title))).toHaveLength(1);

    // From the keyboard, and as a table.
    await page.locator('#timeline svg.gantt').first().focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.textContent('#timeline output')).toMatch(/^round 0, shard 0: 1\.05 s, from/);
    await page.keyboard.press('End');
    expect(await page.textContent('#timeline output')).toBe('round 9, shard 3: no update yet');
    await page.locator('#timeline summary').click();
    await expect.poll(() => page.locator('#timeline tbody tr').count(), SOON).toBe(titles.length);

    // The newest rounds, unless others are asked for.
    world.timelines = { [RUNNING_JOB]: timelineAt(19) };
    await expect.poll(textOf(page, '#timeline .turn'), SOON).toContain('Rounds 4 to 19 of 20');
    await page.getByRole('button', { name: 'Earlier' }).click();
    await expect.poll(textOf(page, '#timeline .turn'), SOON).toContain('Rounds 0 to 15 of 20');
    expect(await page.getByRole('button', { name: 'Earlier' }).isDisabled()).toBe(true);
    await page.getByRole('button', { name: 'Later' }).click();
    await expect.poll(textOf(page, '#timeline .turn'), SOON).toContain('Rounds 4 to 19 of 20');

    // Once more when the job has ended.
    const endedAt = new Date().toISOString();
    world.timelines = {
      [RUNNING_JOB]: timelineAt(19, { status: 'succeeded', endedAt, begun: 20 }),
    };
    server.publish(endedJob(RUNNING_JOB, 1, 0.9781));
    await expect.poll(textOf(page, '#timeline'), SOON).toContain('no update when the job ended');
    expect(complaints).toEqual([]);
  });

  test('shows the metric a job is judged by, whichever it is, and none where there is none', async () => {
    const language = languageJob(12, { perplexity: 7.4, accuracy: 0.41, loss: 2.0015 });
    const silent = languageJob(4, { loss: 0.31 }, { job: ENDED_JOB });
    const bare = { ...silent, history: silent.history.map((point) => ({ ...point, metrics: {} })) };
    const { page, complaints } = await look({ ...emptyWorld(), jobs: [language, bare] });
    await expect.poll(textOf(page, '#metric-chart h3'), SOON).toBe('Perplexity');
    expect(await pointsOf(page, '#metric-chart')()).toBe(12);
    expect(await page.textContent('#metric-chart output')).toMatch(/^training \d+\.?\d*, test 7\.4$/);
    expect(await page.textContent('#job-tiles')).toContain('Test perplexity7.4');
    expect(await page.locator('#job-list a').first().textContent()).toContain('perplexity 7.4, release 1');
    await keep(page, 'perplexity');

    await page.locator(`#job-list a[href="#${ENDED_JOB}"]`).click();
    await expect.poll(() => page.locator('#metric-chart').isVisible(), SOON).toBe(false);
    expect(await page.textContent('#job-tiles')).toContain('Test loss0.31');
    expect(complaints).toEqual([]);
  });

  test('links carry the rates of successive readings; targets that are out are drawn so', async () => {
    const world = busyWorld();
    const { page, complaints } = await look(world);
    const system = attributeOf(page, '#topology', 'aria-label');
    await expect.poll(system, SOON).toContain('20.6K routed');
    expect(await page.locator('.link.live.edge').count()).toBe(0);

    let edge = 18_240;
    const traffic = setInterval(() => (world.routing = trafficOf((edge += 20), 2_310)), 100);
    await expect.poll(() => page.locator('.link.live.edge').count(), SOON).toBe(1);
    await expect.poll(system, SOON).toMatch(/Clients: \d+(\.\d)?\/s/);
    expect(await page.locator('.link.live.cloud').count()).toBe(0);
    await expect.poll(pointsOf(page, '#rate-chart'), SOON).toBeGreaterThanOrEqual(2);
    await keep(page, 'traffic');
    clearInterval(traffic);

    world.routing = trafficOf(edge, 2_310, { state: 'ejected', errors: 5 });
    await expect.poll(() => page.locator('.node.cloud.bad').textContent(), SOON).toContain('ejected');
    expect(await page.textContent('#targets')).toContain('ejected');
    world.routing = trafficOf(edge, 0, {
      configured: false,
      requests: 0,
      p50Ms: null,
      p95Ms: null,
      p99Ms: null,
    });
    await expect.poll(() => page.locator('.node.cloud.off').textContent(), SOON).toContain('not configured');
    expect(complaints).toEqual([]);
  });

  test('with nothing there yet, says what to run', async () => {
    const { page, complaints } = await look(emptyWorld());
    for (const [part, words] of [
      ['#jobs-empty', 'npm start'],
      ['#routing-empty', 'causeway -- predict'],
      ['#models-empty', 'causeway -- train'],
    ] as const) {
      await page.locator(part).waitFor({ state: 'visible' });
      expect(await page.textContent(part)).toContain(words);
    }
    expect(await page.locator('#jobs').isVisible()).toBe(false);
    await keep(page, 'empty');
    expect(complaints).toEqual([]);
  });

  test('a part that fails says so and is back by itself; the others go on', async () => {
    const world = busyWorld();
    world.faults.set('/v1/jobs', { code: 'bad_gateway', message: 'jobs API: no answer' });
    const { page, complaints } = await look(world);
    await expect.poll(textOf(page, '#jobs-notice'), SOON).toContain('jobs API: no answer');
    expect(await page.textContent('#jobs-notice')).toContain('JOBS_URL');
    await expect.poll(textOf(page, '#link-state'), SOON).toContain('Partly readable');
    await expect.poll(() => page.locator('#models tbody tr').count(), SOON).toBe(2);
    await keep(page, 'failing');

    world.faults.clear();
    await expect.poll(() => page.locator('#job-list a').count(), { timeout: 30_000 }).toBe(3);
    await expect.poll(textOf(page, '#jobs-notice'), SOON).toBe('');
    expect(complaints).toEqual([]);
  });

  test('a job that cannot be read, or is not there, is said', async () => {
    const world = busyWorld();
    world.faults.set(`/v1/jobs/${ENDED_JOB}`, { code: 'internal', message: 'its plan is gone' });
    const { page, complaints } = await look(world);
    await expect.poll(() => page.locator('#job-list a').count(), SOON).toBe(3);
    await page.locator(`#job-list a[href="#${ENDED_JOB}"]`).click();
    await expect
      .poll(textOf(page, '#job-reason'), SOON)
      .toContain(`${ENDED_JOB} cannot be read: its plan is gone`);
    await page.evaluate(`location.hash = '#job_00000000'`);
    await expect.poll(textOf(page, '#spoken'), SOON).toBe('There is no job job_00000000');
    expect(await page.locator('#job-reason').isVisible()).toBe(false);
    expect(new URL(page.url()).hash).toBe('');
    expect(complaints).toEqual([]);
  });

  test('a router that is gone is said once, and what was known stays', async () => {
    const { page, server } = await look(busyWorld());
    await expect.poll(() => page.locator('#job-list a').count(), SOON).toBe(3);
    await server.stop();
    await expect.poll(textOf(page, '#link-state'), SOON).toContain('No answer');
    await expect.poll(() => page.locator('.notice:visible').count(), SOON).toBe(1);
    expect(await page.textContent('#routing-notice')).toContain('npm start');
    expect(await page.locator('#job-list a').count()).toBe(3);
  });

  test('where reading needs a token, asks for it and uses it', async () => {
    const { page, complaints } = await look({ ...busyWorld(), token: 'let-me-read' });
    const input = page.getByLabel('Access token').first();
    await input.fill('let-me-in');
    await input.press('Enter');
    await expect.poll(textOf(page, '#routing-notice'), SOON).toContain('was not accepted');
    await expect.poll(() => page.locator('.notice:visible').count(), SOON).toBe(1);
    await input.fill('let-me-read');
    await input.press('Enter');
    await expect.poll(textOf(page, '#link-state'), SOON).toContain('Live');
    await expect.poll(pointsOf(page, '#loss-chart'), SOON).toBe(9);
    expect(page.url()).not.toContain('let-me-read');
    expect(complaints).toEqual([]);
  });

  test('works from the keyboard: choosing a job, reading a curve', async () => {
    const { page, complaints } = await look(busyWorld());
    await expect.poll(() => page.locator('#job-list a').count(), SOON).toBe(3);
    await page.keyboard.press('Tab');
    expect(await page.locator('.skip:focus').count()).toBe(1);

    await page.locator(`#job-list a[href="#${FAILED_JOB}"]`).focus();
    await page.keyboard.press('Enter');
    await expect.poll(textOf(page, '#job-reason'), SOON).toContain('optimizer.learningRate');
    expect(await page.locator('#job-reason').isVisible()).toBe(true);
    await expect.poll(pointsOf(page, '#loss-chart'), SOON).toBe(3);

    await page.locator('#loss-chart svg').focus();
    await page.keyboard.press('Home');
    expect(await page.textContent('#loss-chart output')).toMatch(/^epoch 0\.25: loss 0\.\d{3}$/);
    await page.keyboard.press('ArrowRight');
    expect(await page.textContent('#loss-chart output')).toMatch(/^epoch 0\.50: /);
    expect(complaints).toEqual([]);
  });

  test.each([
    { name: 'light', scheme: 'light', width: 1280 },
    { name: 'dark', scheme: 'dark', width: 1280 },
    { name: 'phone', scheme: 'light', width: 400 },
    { name: 'phone-dark', scheme: 'dark', width: 400 },
  ] as const)('fits and can be read: $name', async ({ name, scheme, width }) => {
    const world = busyWorld();
    const timeline = timelineAt(9);
    world.timelines = { [RUNNING_JOB]: timeline, [ENDED_JOB]: { ...timeline, job: ENDED_JOB } };
    const { page, complaints } = await look(world, {
      scheme,
      width,
      hash: name === 'dark' ? ENDED_JOB : RUNNING_JOB,
    });
    const traffic = setInterval(() => {
      const { edge, cloud } = world.routing.targets;
      world.routing = trafficOf(edge.requests + 31, cloud.requests + 4);
    }, 100);
    await expect.poll(() => page.locator('.link.live.cloud').count(), SOON).toBe(1);
    clearInterval(traffic);
    await expect.poll(() => page.locator('#timeline [data-item] .bar').count(), SOON).toBeGreaterThan(20);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
    expect(await page.evaluate(LEAST_CONTRAST)).toBeGreaterThanOrEqual(4.5);
    await keep(page, name);
    expect(complaints).toEqual([]);
  });

  test('no other script and no style attribute gets past the policy', async () => {
    const { page, complaints } = await look(emptyWorld());
    const inline = page.evaluate(`{
      const script = document.createElement('script');
      script.textContent = 'document.title = "taken over"';
      document.body.append(script);
    }`);
    await expect(inline).rejects.toThrow('TrustedScript');
    await expect(page.evaluate(`document.body.innerHTML = '<b>taken over</b>'`)).rejects.toThrow(
      'TrustedHTML',
    );
    await page.evaluate(`document.body.setAttribute('style', 'color: red')`);
    expect(await page.title()).toBe('Causeway');
    expect(await page.evaluate('document.body.style.color')).toBe('');
    expect(complaints.filter((each) => each.includes('Content Security Policy'))).not.toHaveLength(0);
  });
});

/** Lowest WCAG contrast ratio of the palette's text colours on its three grounds, computed by the page itself. */
const LEAST_CONTRAST = `(() => {
  const probe = document.body.appendChild(document.createElement('i'));
  const luminance = (name) => {
    probe.style.color = 'var(--' + name + ')';
    const [r, g, b] = getComputedStyle(probe).color.match(/\\d+/g).map((n) => n / 255)
      .map((n) => (n <= 0.04045 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratios = ['ink', 'muted', 'edge', 'cloud', 'train', 'bad'].flatMap((text) =>
    ['page', 'card', 'sunk'].map((ground) => {
      const [low, high] = [luminance(text), luminance(ground)].sort((a, b) => a - b);
      return (high + 0.05) / (low + 0.05);
    }));
  probe.remove();
  return Math.min(...ratios);
})()`;
