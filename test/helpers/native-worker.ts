/** A worker thread that keeps the addon busy until it is terminated: a monitor that reads, requests in flight. */
import { parentPort, workerData } from 'node:worker_threads';
import { parseAddress } from '../../src/net/index.js';
import { Datagrams } from '../../src/netlink/datagrams.js';
import {
  createNetns,
  execute,
  openInet,
  openMonitor,
  openSocket,
} from '../../src/netlink/native.js';
import { dumpLinks } from './native.js';

/** What the test wants of the worker. */
export interface NativeWorkerData {
  readonly netnsFd: number;
  readonly job: 'busy' | 'throw';
}

const { netnsFd, job } = workerData as NativeWorkerData;
const monitored = await openSocket(0, { netnsFd, groups: [1] });
openMonitor(
  monitored,
  () => {
    if (job === 'throw') throw new Error('thrown in a monitor');
    parentPort?.postMessage('event');
  },
  (error) => {
    throw error;
  },
);

const local = { address: parseAddress('127.0.0.1'), port: 0 };
new Datagrams(openInet(netnsFd, { transport: 'udp', local }), () => undefined).peer();

async function keepBusy(): Promise<void> {
  const socket = await openSocket(0, { netnsFd });
  for (;;) {
    await execute(socket, dumpLinks());
    // A promise that settles after the end: opened by nobody, so closed by nobody but the addon.
    void openSocket(0, { netnsFd });
    void createNetns('/nowhere/at/all').catch(() => undefined);
  }
}

parentPort?.postMessage('ready');
if (job === 'busy') await Promise.all([keepBusy(), keepBusy()]);
