/** Serves the dashboard: its page, what that loads, and a policy under which nothing else runs. */

/** By name: `index.html`, and the scripts, styles and pictures beside it. */
export type DashboardFiles = Readonly<Record<string, string>>;

export interface Dashboard {
  /** Names the files by a path that has their digest in it. */
  page(request: Request): Response;
  /** @returns undefined where there is no such file, or not of this version */
  file(request: Request, version: string, name: string): Response | undefined;
}

/** Content Security Policy level 3 (w3.org/TR/CSP3) and Trusted Types (w3.org/TR/trusted-types): nothing inline, no HTML from text. */
const POLICY = [
  `default-src 'none'`,
  `script-src 'self'`,
  `style-src 'self'`,
  `connect-src 'self'`,
  `img-src 'self'`,
  `base-uri 'none'`,
  `form-action 'none'`,
  `frame-ancestors 'none'`,
  `require-trusted-types-for 'script'`,
  `trusted-types 'none'`,
].join('; ');

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml',
};

/** What is under a digest never changes: a year, RFC 9111's customary longest, without asking again (RFC 8246). */
const FOREVER = 'public, max-age=31536000, immutable';

const PAGE = 'index.html';

export async function createDashboard(files: DashboardFiles): Promise<Dashboard> {
  const version = await digestOf(files);
  const folder = `/dashboard/${version}/`;
  const html = (files[PAGE] ?? '').replaceAll('"/dashboard/', `"${folder}`);
  // Told before the page is read: otherwise each module is asked for when the one before has come.
  const modules = Object.keys(files).filter((name) => name.endsWith('.js'));
  const preload = modules.map((name) => `<${folder}${name}>; rel=modulepreload`).join(', ');
  const common = (name: string) => ({
    'content-type': CONTENT_TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'text/plain; charset=utf-8',
    'x-content-type-options': 'nosniff',
    'cross-origin-resource-policy': 'same-origin',
    etag: `"${version}"`,
  });
  return {
    page(request) {
      const headers = {
        ...common(PAGE),
        'content-security-policy': POLICY,
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-cache',
        link: preload,
      };
      return unlessKnown(request, html, headers);
    },
    file(request, asked, name) {
      const text = asked === version && name !== PAGE && Object.hasOwn(files, name) ? files[name] : undefined;
      if (text === undefined) return undefined;
      return unlessKnown(request, text, { ...common(name), 'cache-control': FOREVER });
    },
  };
}

/** RFC 9110, 13.1.2: weakly compared; a proxy that compresses makes a tag weak. */
function unlessKnown(request: Request, body: string, headers: Record<string, string>): Response {
  const known = request.headers.get('if-none-match')?.split(',') ?? [];
  const isKnown = known.some((tag) => ['*', headers['etag']].includes(tag.trim().replace(/^W\//, '')));
  return isKnown ? new Response(null, { status: 304, headers }) : new Response(body, { headers });
}

/** Of all files together, so that a page and the modules it loads are of one version. */
async function digestOf(files: DashboardFiles): Promise<string> {
  const text = JSON.stringify(Object.entries(files).sort(([a], [b]) => (a < b ? -1 : 1)));
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text)));
  return [...digest.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
