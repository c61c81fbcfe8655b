import test from 'ava';
import { Health } from '../../../src/daemon/health.js';

test('health > what is wrong has a code, words and a beginning, until it is well', (t) => {
  let now = new Date('2026-01-01T00:00:00Z');
  const health = new Health(() => now);
  health.set('DATAPATH web', new Error('no br0'));
  now = new Date('2026-01-01T00:01:00Z');
  health.set('DATAPATH web', new Error('no vxlan0'));
  health.set('DATAPATH db', 'no namespace');
  t.deepEqual(health.degraded(), [
    { code: 'DATAPATH', text: 'no vxlan0', since: '2026-01-01T00:00:00.000Z' },
    { code: 'DATAPATH', text: 'no namespace', since: '2026-01-01T00:01:00.000Z' },
  ]);
  health.set('DATAPATH web', undefined);
  t.is(health.degraded().length, 1);
});

test('health > a store that goes away is wrong from that turn on, and said once', (t) => {
  const health = new Health();
  t.true(health.setStore(true));
  t.deepEqual(health.degraded(), []);
  t.true(health.setStore(false));
  t.false(health.setStore(false));
  t.is(health.degraded()[0]?.code, 'STORE_UNREACHABLE');
  t.true(health.setStore(true));
  t.deepEqual(health.degraded(), []);
});

test('health > a store that was never there is wrong as well', (t) => {
  const health = new Health();
  t.true(health.setStore(false));
  t.is(health.degraded()[0]?.code, 'STORE_UNREACHABLE');
  t.false(health.store.reachable);
});
