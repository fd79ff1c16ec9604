/** The secret the edge signs its tokens with: from the environment (local), or from Secrets Manager (deployed). */
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { Fault } from '../../core/errors.ts';
import { type Environment, required } from './environment.ts';

/**
 * Deployed, the environment holds the secret's ARN and not the secret itself, which anybody who may describe the
 * function could read. Fetched once per warm function; a rotation reaches it with the next cold start.
 */
export function tokenSecret(environment: Environment): () => Promise<string> {
  const arn = environment['CAUSEWAY_TOKEN_SECRET_ARN'];
  if (arn === undefined || arn === '') {
    const secret = required(environment, 'CAUSEWAY_TOKEN_SECRET');
    return () => Promise.resolve(secret);
  }
  let fetched: Promise<string> | undefined;
  return () => {
    fetched ??= fetchSecret(arn).catch((thrown: unknown) => {
      fetched = undefined;
      throw thrown;
    });
    return fetched;
  };
}

async function fetchSecret(arn: string): Promise<string> {
  const client = new SecretsManagerClient({});
  try {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: arn }));
    if (SecretString !== undefined && SecretString !== '') return SecretString;
  } catch (cause) {
    throw new Fault('unavailable', 'the token secret cannot be read', { cause });
  } finally {
    client.destroy();
  }
  throw new Fault('internal', 'the token secret is empty');
}
