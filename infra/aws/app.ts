/** The CDK app: `npm run synth`, `npm run deploy`. docs/deploy.md has the steps; settings.ts the context it reads. */
import { App, Tags, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { readSettings } from './lib/settings.ts';
import { CausewayStack } from './lib/stack.ts';

const app = new App();
Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
const stack = new CausewayStack(app, 'Causeway', {
  description: 'Causeway, the cloud half: training fleet, jobs API and native inference',
  settings: readSettings((key) => app.node.tryGetContext(key)),
});
Tags.of(stack).add('project', 'causeway');
