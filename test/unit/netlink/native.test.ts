import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { closeFd, currentNetnsFd, netnsIno } from '../../../src/netlink/native.js';

const nativeUrl = new URL('../../../src/netlink/native.js', import.meta.url).href;

function ownNetns(): bigint {
  const fd = currentNetnsFd();
  const ino = netnsIno(fd);
  closeFd(fd);
  return ino;
}

test('native > the addon loads in a thread and again in its workers, and outlives them', async (t) => {
  const expected = ownNetns();
  const code = `import(${JSON.stringify(nativeUrl)}).then((native) => {
    const fd = native.currentNetnsFd();
    require('node:worker_threads').parentPort.postMessage(native.netnsIno(fd));
    native.closeFd(fd);
  })`;
  for (const round of [1, 2]) {
    const worker = new Worker(code, { eval: true });
    const [[ino]] = await Promise.all([once(worker, 'message'), once(worker, 'exit')]);
    t.is(ino, expected, `round ${round}`);
    t.is(ownNetns(), expected, `round ${round}`);
  }
});

test('native > a descriptor that is not open is EBADF', (t) => {
  t.throws(() => closeFd(1_000_000), { code: 'EBADF', message: /^EBADF: .*, close$/ });
  t.throws(() => closeFd(-1), { instanceOf: RangeError });
});
