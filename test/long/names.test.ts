/** Names under faults as large as in the field. */
import test from 'ava';
import { Lab } from '../../lab/index.js';
import { flap } from '../helpers/flapping.js';
import { nameTimes } from '../helpers/name-times.js';
import { stallEvents } from '../helpers/stalled-events.js';
import { createNetwork, runIdle } from '../helpers/weft-lab.js';

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

test('names > of a hundred names, 99 are known on another host 100 ms after Docker says started, and gone 100 ms after it says died', async (t) => {
  t.timeout(900_000);
  await using lab = await Lab.create({ hosts: 3, engine: '28.5', store: 'consul' });
  await createNetwork(lab.hosts, 'web');
  await runIdle(lab.host(1), 'client', '--network', 'web');
  const all = { came: [] as number[], went: [] as number[] };
  // A few at a time, so that each is asked for every ten milliseconds.
  for (let round = 0; round < 10; round += 1) {
    const { came, went } = await nameTimes(lab, 10);
    all.came.push(...came);
    all.went.push(...went);
  }
  for (const [what, ms] of Object.entries(all)) {
    const sorted = ms.toSorted((a, b) => a - b);
    const [p50, p90, p99] = [49, 89, 98].map((at) => sorted[at]!);
    t.log(`${what}: p50 ${p50}, p90 ${p90}, p99 ${p99}, at most ${sorted.at(-1)} ms`);
    t.true(p99! <= 100, `${what}: ${sorted.join(' ')} ms`);
  }
});
