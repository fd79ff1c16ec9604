/** The dashboard: one static page, and a policy under which nothing but its own script and style runs. */

export interface Page {
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** Content Security Policy level 3 (w3.org/TR/CSP3): what is inline is allowed by its hash, nothing else is. */
export async function createPage(html: string): Promise<Page> {
  const [scripts, styles] = await Promise.all([hashesOf(html, 'script'), hashesOf(html, 'style')]);
  const policy = [
    `default-src 'none'`,
    `script-src ${scripts}`,
    `style-src ${styles}`,
    `connect-src 'self'`,
    `img-src data:`,
    `base-uri 'none'`,
    `form-action 'none'`,
    `frame-ancestors 'none'`,
  ];
  const headers = {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': policy.join('; '),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-cache',
  };
  return { html, headers };
}

/** The page is ours and part of the bundle: its tags are as we write them. */
async function hashesOf(html: string, tag: 'script' | 'style'): Promise<string> {
  const found = html.matchAll(new RegExp(`<${tag}(?:\\s[^>]*)?>([\\s\\S]*?)</${tag}>`, 'g'));
  const hashes: string[] = [];
  for (const [, text = ''] of found) {
    const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
    hashes.push(`'sha256-${btoa(String.fromCharCode(...new Uint8Array(digest)))}'`);
  }
  return hashes.length === 0 ? `'none'` : hashes.join(' ');
}
