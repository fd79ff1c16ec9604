/**
 * A binding is what a function may do and how it finds it, in one value: permission and environment cannot drift
 * apart. Statements are written by hand, since CDK's `grantRead` and its like allow more than they say.
 */
import { Stack, Token } from 'aws-cdk-lib';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';

export interface Binding {
  readonly environment: Readonly<Record<string, string>>;
  readonly statements: readonly PolicyStatement[];
  /** Why its wildcards (a key prefix, a log stream) are no wider than they must be; for cdk-nag's IAM5. */
  readonly wildcards: string;
}

/** The ids under which cdk-nag reports the wildcard resources of a statement: `AwsSolutions-IAM5[Resource::<Id.Arn>/blobs/*]`. */
export function wildcardFindings(scope: Construct, statement: PolicyStatement): readonly string[] {
  return statement.resources
    .map((resource) => plain(Stack.of(scope).resolve(resource)))
    .filter((resource) => resource.includes('*'))
    .map((resource) => `AwsSolutions-IAM5[Resource::${resource}]`);
}

/** A resolved ARN as cdk-nag spells it: references in angle brackets. */
function plain(value: unknown): string {
  if (typeof value === 'string') return value;
  if (isRecord(value)) {
    const { Ref: ref, 'Fn::GetAtt': attribute, 'Fn::Join': join } = value;
    if (typeof ref === 'string') return `<${ref}>`;
    if (Array.isArray(attribute)) return `<${attribute.join('.')}>`;
    if (Array.isArray(join) && Array.isArray(join[1])) return join[1].map(plain).join(String(join[0]));
  }
  throw new TypeError(
    `no plain form of the resource ${JSON.stringify(value)} (${Token.isUnresolved(value)})`,
  );
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
