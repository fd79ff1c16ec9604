import { expect, it } from 'vitest';
import { readInferUrl } from '../../../functions/router/request.ts';

it.each([
  ['http://edge.test/v2/models/m/infer', { model: 'm' }],
  ['https://a.example:8443/v2/models/iris-2.b_c/versions/12/infer', { model: 'iris-2.b_c', version: '12' }],
  ['http://edge.test/v2/models/m/versions/infer', undefined],
  ['http://edge.test/v2/models/m%20n/infer', undefined],
  ['http://edge.test/v2/models/m/infer?x=1', undefined],
  ['http://edge.test/v2/models/m/ready', undefined],
  ['http://edge.test/x/v2/models/m/infer', undefined],
  ['http://edge.test/v2/models/a/b/infer', undefined],
])('%s asks plainly to infer: %j', (url, asked) => {
  expect(readInferUrl(url)).toEqual(asked);
});
