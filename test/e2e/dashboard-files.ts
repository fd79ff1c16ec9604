/** The dashboard's files as they lie in the folder, served the way the router serves them. */
import { readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createDashboard, type DashboardFiles } from '../../functions/router/dashboard.ts';

const FOLDER = new URL('../../functions/router/dashboard/', import.meta.url);

export async function readDashboard(): Promise<DashboardFiles> {
  const names = (await readdir(FOLDER)).filter((name) => /\.(html|css|svg|js)$/.test(name)).sort();
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(new URL(name, FOLDER), 'utf8')])),
  );
}

/** @returns whether the request was for the dashboard, and so is answered */
export async function dashboardServer(): Promise<
  (request: IncomingMessage, response: ServerResponse) => Promise<boolean>
> {
  const dashboard = await createDashboard(await readDashboard());
  return async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://router');
    const [, folder, version = '', name = ''] = pathname.split('/');
    const asked = new Request(`http://router${pathname}`);
    const answer =
      pathname === '/'
        ? dashboard.page(asked)
        : folder === 'dashboard'
          ? (dashboard.file(asked, version, name) ?? new Response(null, { status: 404 }))
          : undefined;
    if (answer === undefined) return false;
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
    return true;
  };
}
