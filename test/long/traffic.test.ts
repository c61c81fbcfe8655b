/** Traffic that never pauses, while the daemons do, again and again. */
import test from 'ava';
import { loseNothing } from '../helpers/traffic.js';

test('traffic > twenty restarts and twenty kill -9 of weftd cost no packet and no connection', async (t) => {
  t.timeout(900_000);
  await loseNothing(t, 20);
});
