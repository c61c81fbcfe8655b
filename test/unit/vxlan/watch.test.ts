import test from 'ava';
import type { Monitor } from '../../../src/netlink/index.js';
import { type Kernel, realKernel } from '../../../src/vxlan/kernel.js';
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
  const watch = new Watch({ kernel, netnsFd: -1, judge, onSuspect: () => undefined });
  await t.throwsAsync(watch.ensure(), { message: 'no memory' });
  t.deepEqual({ opened, closed }, { opened: 1, closed: 1 });
  isRefused = false;
  await watch.ensure();
  t.deepEqual({ opened, closed }, { opened: 3, closed: 1 });
  await watch[Symbol.asyncDispose]();
  t.is(closed, 3);
});
