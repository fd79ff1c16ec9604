/** The dashboard's file under the strictest policy it works with: its own script and style, its own origin. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';

const FILE = new URL('../../functions/router/dashboard/index.html', import.meta.url);

export interface ServedPage {
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Exactly one inline tag of each kind: a second one, or one with attributes, would need the router to know of it. */
function hashOf(html: string, tag: 'script' | 'style'): string {
  const found = [...html.matchAll(new RegExp(`<${tag}\\b[^>]*>([\\s\\S]*?)</${tag}>`, 'g'))];
  const [only] = found;
  if (only === undefined || found.length > 1 || !only[0].startsWith(`<${tag}>`))
    throw new Error(`the dashboard must have one plain <${tag}>, it has ${found.length}`);
  const digest = createHash('sha256').update(only[1] ?? '');
  return `'sha256-${digest.digest('base64')}'`;
}

export async function loadPage(): Promise<ServedPage> {
  const html = await readFile(FILE, 'utf8');
  const policy = [
    `default-src 'none'`,
    `script-src ${hashOf(html, 'script')}`,
    `style-src ${hashOf(html, 'style')}`,
    `connect-src 'self'`,
    `base-uri 'none'`,
    `form-action 'none'`,
    `frame-ancestors 'none'`,
  ];
  return {
    html,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy.join('; '),
      'x-content-type-options': 'nosniff',
    },
  };
}
