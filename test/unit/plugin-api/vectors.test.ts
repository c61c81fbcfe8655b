import test from 'ava';
import { pluginApp } from '../../../src/plugin-api/app.js';
import { fakeDrivers } from './fakes.js';
import { vectors } from './vectors.js';

for (const [i, { name, method, body, heard, reply }] of vectors.entries()) {
  test(`plugin-api > ${method} > ${name} (${i})`, async (t) => {
    const drivers = fakeDrivers();
    const app = pluginApp(drivers);
    const response = await app.inject({
      method: 'POST',
      url: `/${method}`,
      headers: { accept: 'application/vnd.docker.plugins.v1.2+json' },
      payload: typeof body === 'object' ? `${JSON.stringify(body)}\n` : (body ?? ''),
    });
    t.is(response.statusCode, 200, response.body);
    t.deepEqual(response.json(), reply);
    t.deepEqual(drivers.heard, heard === undefined ? [] : [heard]);
  });
}
