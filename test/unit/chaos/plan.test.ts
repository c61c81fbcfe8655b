import test from 'ava';
import { makePlan, networksEver } from '../../chaos/plan.js';

const options = { seed: 7, seconds: 120, hosts: 3, servers: 3 };

test('plan > is the same for the same seed and another for another', (t) => {
  t.deepEqual(makePlan(options), makePlan(options));
  t.notDeepEqual(makePlan(options).steps, makePlan({ ...options, seed: 8 }).steps);
});

test('plan > has every kind of action and of fault within a few seeds', (t) => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 20; seed += 1) {
    for (const step of makePlan({ ...options, seed }).steps) seen.add(step.do);
  }
  t.is(seen.size, 9 + 15);
});

test('plan > acts on containers that are there, and connects them to what the host has', (t) => {
  for (let seed = 0; seed < 20; seed += 1) {
    const there = new Map<string, number>();
    const networks = new Set<string>();
    for (const step of makePlan({ ...options, seed }).steps) {
      if (step.kind === 'fault') continue;
      if (!('container' in step)) {
        const key = `${step.host} ${step.network}`;
        if (step.do === 'create network') networks.add(key);
        else networks.delete(key);
        continue;
      }
      if (step.do === 'run') there.set(step.container, step.host);
      else t.is(there.get(step.container), step.host);
      if (step.do === 'run' || step.do === 'connect') {
        t.true(networks.has(`${step.host} ${step.network}`));
      }
      if (step.do === 'remove') there.delete(step.container);
    }
  }
});

test('plan > ends every fault within its time, and orders steps by time', (t) => {
  const { steps } = makePlan(options);
  t.deepEqual(
    steps.map(({ atMs }) => atMs),
    steps.map(({ atMs }) => atMs).toSorted((a, b) => a - b),
  );
  for (const step of steps) if ('forMs' in step) t.true(step.atMs + step.forMs <= 120_500);
});

test('plan > knows which networks a container is ever on', (t) => {
  const plan = makePlan(options);
  const ever = networksEver(plan);
  t.deepEqual([...ever.get('c1')!].includes('net1'), true);
  t.is(ever.get('nobody'), undefined);
});
