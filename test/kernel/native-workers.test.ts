import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import test from 'ava';
import { openFds, testNetns, until } from '../helpers/native.js';
import type { NativeWorkerData } from '../helpers/native-worker.js';

const workerUrl = new URL('../helpers/native-worker.js', import.meta.url);

async function start(workerData: NativeWorkerData): Promise<Worker> {
  const worker = new Worker(workerUrl, { workerData });
  await once(worker, 'message');
  return worker;
}

test('workers > each has its own monitor on its own event loop', async (t) => {
  const netns = await testNetns(t);
  const workers = [
    await start({ netnsFd: netns.fd, job: 'busy' }),
    await start({ netnsFd: netns.fd, job: 'busy' }),
  ];
  const events = workers.map((worker) => once(worker, 'message'));
  netns.ip('link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
  t.deepEqual((await Promise.all(events)).flat(), ['event', 'event']);
  await Promise.all(workers.map(async (worker) => worker.terminate()));
});

test('workers > one terminated abruptly, with a monitor and requests in flight, leaves nothing open', async (t) => {
  const netns = await testNetns(t);
  const before = openFds();
  for (let round = 0; round < 10; round++) {
    const worker = await start({ netnsFd: netns.fd, job: 'busy' });
    await worker.terminate();
  }
  await until('descriptors to be closed', () => openFds() <= before);
  t.is(openFds(), before);
});

test('workers > what a monitor throws is an uncaught exception there', async (t) => {
  const netns = await testNetns(t);
  const worker = await start({ netnsFd: netns.fd, job: 'throw' });
  const failed = once(worker, 'error');
  netns.ip('link', 'add', 'v0', 'type', 'veth', 'peer', 'name', 'v1');
  const [error] = (await failed) as [Error];
  t.is(error.message, 'thrown in a monitor');
});
