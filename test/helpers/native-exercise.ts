/** Uses everything of the addon once or more, workers terminated included, and ends; run under LeakSanitizer. */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import {
  closeFd,
  closeSocket,
  createNetns,
  deleteNetns,
  execute,
  openMonitor,
  openNetns,
  openSocket,
  writeInNetns,
} from '../../src/netlink/native.js';
import { dumpLinks, netnsPath } from './native.js';

const ignore = () => undefined;
const path = netnsPath();
await createNetns(path);
await createNetns(path).catch(ignore);
const netnsFd = openNetns(path);
try {
  await writeInNetns(netnsFd, '/proc/sys/net/ipv4/ip_forward', '1');
  for (let i = 0; i < 20; i++) {
    const socket = await openSocket(0, { netnsFd, groups: [1] });
    await openSocket(31, { netnsFd }).catch(ignore);
    await execute(socket, dumpLinks());
    openMonitor(socket, ignore, ignore).close();
    openMonitor(socket, ignore, ignore);
    closeSocket(socket);
    const worker = new Worker(new URL('native-worker.js', import.meta.url), {
      workerData: { netnsFd, job: 'busy' },
    });
    await once(worker, 'message');
    await worker.terminate();
  }
} finally {
  closeFd(netnsFd);
  await deleteNetns(path);
}
