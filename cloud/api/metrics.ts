/**
 * `GET /v1/metrics`: the fleet's, in Prometheus's text format. The queues are asked at each scrape. What became of the
 * messages a function cannot know of the others: where somebody counts their log lines, his text is added.
 */
import { Hono } from 'hono';
import { queueDepthText } from '../../core/telemetry/fleet-metrics.ts';
import { CONTENT_TYPE } from '../../core/telemetry/metrics.ts';
import type { ApiContext } from './context.ts';
import type { ApiEnvironment } from './request-log.ts';

export function metricsRoutes({ depths, countedTasks }: ApiContext): Hono<ApiEnvironment> {
  return new Hono<ApiEnvironment>().get('/', async (c) => {
    const [tasks, deadLetters, counted = ''] = await Promise.all([
      depths.tasks(),
      depths.deadLetters(),
      countedTasks?.(),
    ]);
    const text = queueDepthText({ tasks, 'dead-letters': deadLetters });
    return c.body(text + counted, 200, { 'content-type': CONTENT_TYPE, 'cache-control': 'no-store' });
  });
}
