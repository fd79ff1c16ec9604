/** The dashboard as the router serves it, on the real stack, under the router's own policy. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClient } from '../../infra/cli/client.ts';
import { type Stack, startStack } from '../../infra/local/stack.ts';
import { CHROMIUM, launchChromium, openDashboard } from './dashboard-browser.ts';
import { prepareSmallJob, temporaryState } from './small-job.ts';

let state: Awaited<ReturnType<typeof temporaryState>>;
let stack: Stack;
let browser: Browser | undefined;

beforeAll(async () => {
  if (CHROMIUM === undefined) {
    console.warn('no Chromium on this machine: the dashboard is not tested against the real stack');
    return;
  }
  state = await temporaryState();
  stack = await startStack({ stateDir: state.path, port: 0 });
  browser = await launchChromium();
});
afterAll(async () => {
  await browser?.close();
  await stack?.stop();
  await state?.remove();
});

test.skipIf(CHROMIUM === undefined)(
  'shows a job, its release and the routing of the real stack',
  async () => {
    const client = createClient(stack.routerUrl);
    const { job } = await client.createJob(await prepareSmallJob(stack.store));
    const opened = await openDashboard(browser!, stack.routerUrl);
    await client.follow(job, () => {});
    await opened.page.getByText(job).first().waitFor();
    await opened.page
      .getByText(/released|succeeded/i)
      .first()
      .waitFor();
    await opened.page.getByText('digits').first().waitFor();
    // Each execution where the fleet says that it ran.
    await opened.page.locator('#timeline [data-item] .diamond').first().waitFor();
    const ran = await opened.page.locator('#timeline [data-item] title').allTextContents();
    expect(ran).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^round \d+, shard 0: (< 1|[\d.]+) m?s, from [\d:]+, on \S+, /),
        expect.stringMatching(/^round \d+: merged in (< 1|[\d.]+) m?s, committed at /),
      ]),
    );
    expect(opened.complaints).toEqual([]);
    await opened.close();
  },
);
