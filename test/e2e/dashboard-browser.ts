/** Headless Chromium for tests of the dashboard, and what a page must never do while it is looked at. */
import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';

const CANDIDATES = [
  process.env['CHROMIUM_PATH'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];
/** Where a Chromium is installed; undefined: nowhere known, set CHROMIUM_PATH. */
export const CHROMIUM = CANDIDATES.find((path) => path !== undefined && existsSync(path));

export function launchChromium(): Promise<Browser> {
  if (CHROMIUM === undefined) throw new Error('no Chromium: install one, or set CHROMIUM_PATH');
  return chromium.launch({
    executablePath: CHROMIUM,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  });
}

export interface View {
  readonly width?: number;
  readonly height?: number;
  readonly scheme?: 'light' | 'dark';
  /** Part of the address after `#`: a job to show. */
  readonly hash?: string;
}

export interface OpenedPage {
  readonly page: Page;
  /** Exceptions, refusals by the content security policy, other console errors, requests to any other origin. */
  readonly complaints: string[];
  close(): Promise<void>;
}

/** A failed answer is an outcome that the page has to show; Chromium logs each as a console error besides. */
const FAILED_ANSWER = /^Failed to load resource: (the server responded with a status|net::ERR_)/;

export async function openDashboard(browser: Browser, url: string, view: View = {}): Promise<OpenedPage> {
  const context = await browser.newContext({
    viewport: { width: view.width ?? 1280, height: view.height ?? 900 },
    colorScheme: view.scheme ?? 'light',
    reducedMotion: 'reduce',
    timezoneId: 'UTC',
  });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(`exception: ${error.message}`));
  page.on('console', (message) => {
    if (message.type() === 'error' && !FAILED_ANSWER.test(message.text())) complaints.push(message.text());
  });
  page.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    if (protocol !== 'data:' && origin !== new URL(url).origin) complaints.push(`asked ${request.url()}`);
  });
  await page.goto(`${url}/${view.hash === undefined ? '' : `#${view.hash}`}`);
  return { page, complaints, close: () => context.close() };
}
