/** AWS keys as the environment gives them, for the options of an SDK client. */
import type { Environment } from './environment.ts';

/** Without them the SDK finds keys as it does everywhere (profile, role, …). */
export function keysOf(environment: Environment) {
  const accessKeyId = environment['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = environment['AWS_SECRET_ACCESS_KEY'];
  const sessionToken = environment['AWS_SESSION_TOKEN'];
  if (accessKeyId === undefined || secretAccessKey === undefined) return {};
  return {
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) },
  };
}
