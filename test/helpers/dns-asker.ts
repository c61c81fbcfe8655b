/** A thread that asks the same question again and again, one after another, and tells how long each answer took. */
import { parentPort, workerData } from 'node:worker_threads';
import { once } from 'node:events';
import { queryOctets, udpFrom } from './dns-sandbox.js';

export interface AskerData {
  readonly netnsFd: number;
  readonly name: string;
  readonly forMs: number;
}

const { netnsFd, name, forMs } = workerData as AskerData;
const socket = udpFrom(netnsFd);
const query = queryOctets(name, 'A');
const millis: number[] = [];
parentPort!.postMessage('ready');
await once(parentPort!, 'message');
for (const end = performance.now() + forMs; performance.now() < end;) {
  const since = performance.now();
  const answer = once(socket, 'message', { signal: AbortSignal.timeout(60_000) });
  socket.send(query, 53, '127.0.0.11');
  await answer;
  millis.push(performance.now() - since);
}
socket.close();
parentPort!.postMessage(millis);
parentPort!.close();
