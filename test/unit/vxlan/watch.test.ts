import test from 'ava';
import type { Monitor } from '../../../src/netlink/index.js';
import { SPOOF_TABLE } from '../../../src/vxlan/anti-spoof.js';
import { type Kernel, type TableMonitorOptions, realKernel } from '../../../src/vxlan/kernel.js';
import { Watch } from '../../../src/vxlan/watch.js';

test('Watch > closes the first subscription when the second fails, and opens both the next time', async (t) => {
  let opened = 0;
  let closed = 0;
  let isRefused = true;
  const open = async (): Promise<Monitor> => {
    opened += 1;
    return { close: () => (closed += 1) } as unknown as Monitor;
  };
  const kernel: Kernel = {
    ...realKernel,
    monitor: open,
    monitorTables: async () => {
      if (isRefused) throw new Error('no memory');
      return open();
    },
  };
  const judge = () => ({ key: '', isWanted: true });
  const watch = new Watch({
    kernel,
    netnsFd: -1,
    judge,
    onSuspect: () => undefined,
    isOurs: () => false,
    ownPort: () => undefined,
  });
  await t.throwsAsync(watch.ensure(), { message: 'no memory' });
  t.deepEqual({ opened, closed }, { opened: 1, closed: 1 });
  isRefused = false;
  await watch.ensure();
  t.deepEqual({ opened, closed }, { opened: 3, closed: 1 });
  await watch[Symbol.asyncDispose]();
  t.is(closed, 3);
});

test('Watch > suspects what others do to tables of ours, and not what we do', async (t) => {
  let tell: TableMonitorOptions['onEvent'] = () => undefined;
  const monitor = { close: () => undefined } as unknown as Monitor;
  const kernel: Kernel = {
    ...realKernel,
    monitor: async () => monitor,
    monitorTables: async ({ onEvent }) => {
      tell = onEvent;
      return monitor;
    },
  };
  const suspects: string[] = [];
  await using watch = new Watch({
    kernel,
    netnsFd: -1,
    judge: () => ({ key: '', isWanted: true }),
    onSuspect: (suspect) => suspects.push(suspect),
    isOurs: ({ family }) => family === SPOOF_TABLE.family,
    ownPort: () => 7,
  });
  await watch.ensure();
  tell({ type: 'table', by: 7, ...SPOOF_TABLE });
  tell({ type: 'table', by: 8, family: 'inet', name: 'weft' });
  t.deepEqual(suspects, []);
  tell({ type: 'table', by: 8, ...SPOOF_TABLE });
  tell({ type: 'overrun' });
  t.deepEqual(suspects, ['rules', 'rules']);
});
