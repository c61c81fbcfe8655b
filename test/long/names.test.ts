/** Names under faults as large as in the field. */
import test from 'ava';
import { Lab } from '../../lab/index.js';
import { flap } from '../helpers/flapping.js';
import { stallEvents } from '../helpers/stalled-events.js';

test('names > W5: 200 containers that ended while no event was told have no name, now or later', async (t) => {
  t.timeout(900_000);
  await using lab = await Lab.create({ hosts: 2, engine: '28.5', store: 'consul' });
  await stallEvents(t, lab, 200);
});

test('names > D8: of twenty containers that flap every five seconds, those are told who are there', async (t) => {
  t.timeout(600_000);
  await using lab = await Lab.create({ hosts: 3, engine: '28.5', store: 'consul' });
  await flap(t, lab, { containers: 20, rounds: 24, roundMs: 5000 });
});
