import { setTimeout as delay } from 'node:timers/promises';
import test from 'ava';
import { EventLoopWatch } from '../../../src/daemon/event-loop.js';

test('event loop > the first look starts measuring, the next tells the longest wait since', async (t) => {
  await using watch = new EventLoopWatch();
  t.is(watch.read().forMs, 0);
  await delay(10);
  const until = performance.now() + 50;
  while (performance.now() < until);
  await delay(10);
  const { forMs, delayMs } = watch.read();
  t.true(forMs >= 50);
  t.true(delayMs.max >= 40, `${delayMs.max}`);
  t.true(delayMs.p50 <= delayMs.p99 && delayMs.p99 <= delayMs.max);
});
