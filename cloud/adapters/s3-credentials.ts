/** Credentials of a bucket outside AWS (R2), kept in Secrets Manager: a function's own role is no use there. */
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { storeFault } from '../../core/storage/faults.ts';

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** @returns a provider as the SDK takes it; the SDK asks once and keeps the answer while the function is warm */
export function secretCredentials(
  arn: string,
  read: (arn: string) => Promise<string | undefined> = readSecret,
): () => Promise<S3Credentials> {
  return async () => {
    let text: string | undefined;
    try {
      text = await read(arn);
    } catch (cause) {
      throw storeFault('unavailable', 'the credentials of the bucket cannot be read', cause);
    }
    return parseCredentials(text ?? '');
  };
}

/** @throws Fault `internal` without the text in it: it is a secret, also where it is malformed */
export function parseCredentials(text: string): S3Credentials {
  const wanted =
    'the secret with the credentials of the bucket must be JSON with accessKeyId and secretAccessKey';
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw storeFault('internal', wanted);
  }
  if (typeof value === 'object' && value !== null && 'accessKeyId' in value && 'secretAccessKey' in value) {
    const { accessKeyId, secretAccessKey } = value;
    if (typeof accessKeyId === 'string' && accessKeyId !== '' && typeof secretAccessKey === 'string')
      if (secretAccessKey !== '') return { accessKeyId, secretAccessKey };
  }
  throw storeFault('internal', wanted);
}

async function readSecret(arn: string): Promise<string | undefined> {
  const client = new SecretsManagerClient({});
  try {
    return (await client.send(new GetSecretValueCommand({ SecretId: arn }))).SecretString;
  } finally {
    client.destroy();
  }
}
