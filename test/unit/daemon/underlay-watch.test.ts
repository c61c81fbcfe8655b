import test, { type ExecutionContext } from 'ava';
import { UnderlayWatch } from '../../../src/daemon/underlay-watch.js';
import type { UnderlayChoice } from '../../../src/daemon/underlay.js';
import { parseAddress } from '../../../src/net/index.js';
import type { Monitor, RouteMonitorOptions } from '../../../src/netlink/index.js';
import { until } from '../../helpers/cluster.js';

const first: UnderlayChoice = {
  linkIndex: 2,
  linkName: 'eth0',
  vtep: parseAddress('192.0.2.1'),
  mtu: 1500,
  reason: 'eth0 has the default route',
};

function setUp(t: ExecutionContext) {
  const kernel = { now: first, error: undefined as Error | undefined };
  const changes: UnderlayChoice[] = [];
  const states: unknown[] = [];
  let tell = (): void => undefined;
  let reads = 0;
  const watch = new UnderlayWatch({
    first,
    read: async () => {
      reads += 1;
      if (kernel.error) throw kernel.error;
      return kernel.now;
    },
    onChange: async (now) => void changes.push(now),
    onState: (error) => void states.push(error),
    monitor: async ({ onEvent }: RouteMonitorOptions) => {
      tell = () => onEvent({ type: 'overrun' });
      return { close: () => undefined } as unknown as Monitor;
    },
  });
  t.teardown(async () => watch[Symbol.asyncDispose]());
  watch.start();
  return { watch, kernel, changes, states, tell: () => tell(), reads: () => reads };
}

test('underlay > another MTU is followed at once', async (t) => {
  const { watch, kernel, changes, states, tell } = setUp(t);
  await until(t, 'the first look', () => states.length > 0);
  kernel.now = { ...first, mtu: 1400 };
  tell();
  await until(t, 'the change', () => changes.length === 1);
  t.is(watch.mtu, 1400);
});

test('underlay > an address that is there for a moment only is not followed, nor is none at all', async (t) => {
  const { watch, kernel, changes, states, tell, reads } = setUp(t);
  await until(t, 'the first look', () => states.length > 0);
  kernel.now = { ...first, vtep: parseAddress('198.51.100.9'), linkName: 'eth1' };
  tell();
  let seen = reads();
  await until(t, 'a look', () => reads() > seen);
  kernel.error = new Error('no link that is up has an address');
  tell();
  await until(t, 'it is said', () => states.at(-1) === kernel.error);
  kernel.error = undefined;
  kernel.now = first;
  tell();
  await until(t, 'all is well', () => states.at(-1) === undefined);
  t.is(watch.vtep, first.vtep);
  t.deepEqual(changes, []);
  seen = reads();
  kernel.now = { ...first, vtep: parseAddress('198.51.100.9') };
  tell();
  await until(t, 'what stays is followed', () => changes.length === 1);
  t.is(watch.vtep, parseAddress('198.51.100.9'));
});
