/** Traffic that never pauses, while the daemons do; test/long does it forty times. */
import test from 'ava';
import { loseNothing } from '../../helpers/traffic.js';

test('traffic > four restarts and four kill -9 of weftd cost no packet and no connection', async (t) => {
  t.timeout(280_000);
  await loseNothing(t, 4);
});
