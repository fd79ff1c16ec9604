/**
 * Releases and channel moves pass through the router: what a release excludes holds in this isolate before the client
 * hears that its channel was moved, and is told to the other isolates of the point of presence.
 */
import { SERVED_CHANNEL } from '../../core/inference/config.ts';
import type { RuleBook } from './rules.ts';

/** The last member of a channel's answer and of a release's is which release it points to now. */
interface Moved {
  readonly model: string;
  readonly release: number;
}

/** @param response of the models API, which stays unread @returns undefined where no channel that is served was moved */
async function movedBy(response: Response): Promise<Moved | undefined> {
  if (!response.ok) return undefined;
  const body = (await response.clone().json()) as Readonly<Record<string, unknown>>;
  const { model, channel, release } = body;
  const isMove = channel === SERVED_CHANNEL && typeof model === 'string' && typeof release === 'number';
  return isMove ? { model, release } : undefined;
}

/**
 * @param headers of the trace
 * @param tell to the other isolates, at once
 */
export async function announceRelease(
  response: Response,
  rules: RuleBook,
  headers: Readonly<Record<string, string>>,
  tell: () => Promise<void> | undefined,
): Promise<void> {
  const moved = await movedBy(response);
  if (moved === undefined) return;
  await rules.announced(moved.model, moved.release, headers);
  await tell();
}
