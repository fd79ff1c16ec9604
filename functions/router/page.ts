/** The dashboard: one static page, and a policy under which nothing but its own script and style runs. */
import html from './dashboard/index.html';

let headers: Promise<Headers> | undefined;

async function hashOf(tag: 'script' | 'style'): Promise<string> {
  const text = html.match(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`))?.[1] ?? '';
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
  return `'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`;
}

async function securityHeaders(): Promise<Headers> {
  const [script, style] = await Promise.all([hashOf('script'), hashOf('style')]);
  const policy = [
    `default-src 'none'`,
    `script-src ${script}`,
    `style-src ${style}`,
    `connect-src 'self'`,
    `img-src data:`,
    `base-uri 'none'`,
    `form-action 'none'`,
    `frame-ancestors 'none'`,
  ];
  return new Headers({
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policy.join('; '),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-cache',
  });
}

export async function dashboard(): Promise<Response> {
  headers ??= securityHeaders();
  return new Response(html, { headers: await headers });
}
