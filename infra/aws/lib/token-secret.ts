/** The secret the edge signs its tokens with; the same value goes into the router by `wrangler secret put`. */
import { RemovalPolicy, Validations } from 'aws-cdk-lib';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import type { Binding } from './binding.ts';

/** Characters of letters and digits: 5.95 bits each, so well above the 256 bits HS256 wants (RFC 7518, section 3.2). */
const LENGTH = 48;

export class TokenSecret extends Construct {
  readonly secret: Secret;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    this.secret = new Secret(this, 'Secret', {
      description: 'Causeway: signs the tokens with which the edge calls the cloud',
      generateSecretString: { passwordLength: LENGTH, excludePunctuation: true },
      removalPolicy: RemovalPolicy.DESTROY,
    });
    Validations.of(this.secret).acknowledge({
      id: 'AwsSolutions-SMG4',
      reason:
        'Half of it lives outside AWS, in the router Worker: a rotation that AWS does alone would cut the edge off. docs/deploy.md has the steps by hand.',
    });
  }

  bind(): Binding {
    return {
      environment: { CAUSEWAY_TOKEN_SECRET_ARN: this.secret.secretArn },
      statements: [
        new PolicyStatement({
          sid: 'ReadTokenSecret',
          actions: ['secretsmanager:GetSecretValue'],
          resources: [this.secret.secretArn],
        }),
      ],
      wildcards: 'None.',
    };
  }
}
