/** The thread that serves: it reads the names and the containers that it is told, and nothing else can hold it up. */
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../util/index.js';
import { Zone } from '../zone/index.js';
import { HostListener } from './host-listener.js';
import type { FromWorker, ToWorker, WorkerOptions } from './protocol.js';
import { Sandboxes } from './sandboxes.js';

const port = parentPort;
if (port === null) throw new Error('this module is the body of a worker thread');

const tell = (message: FromWorker): void => port.postMessage(message);
const options = workerData as WorkerOptions;
const zone = new Zone(options);
const sandboxes = new Sandboxes(zone, (path, state, reason) =>
  tell({ type: 'sandbox', path, state, ...(reason !== undefined && { reason }) }),
);

const host =
  options.listen &&
  new HostListener(options.listen, zone, (state, reason) =>
    tell({ type: 'host', state, ...(reason !== undefined && { reason }) }),
  );

async function handle(message: ToWorker): Promise<void> {
  switch (message.type) {
    case 'share':
      return zone.setShare(message.share);
    case 'no-share':
      return zone.deleteShare(message.network, message.host);
    case 'hosts':
      return zone.setHosts(message.hosts);
    case 'serve':
      return sandboxes.serve(message.sandbox);
    case 'leave':
      return sandboxes.leave(message.path);
    case 'close':
      await host?.[Symbol.asyncDispose]();
      await sandboxes[Symbol.asyncDispose]();
      port?.close();
  }
}

port.on('message', (message: ToWorker) => {
  handle(message).catch((error: unknown) => {
    // Ends the thread; the daemon starts another one and tells it everything anew.
    setImmediate(() => {
      throw new Error(`names: ${message.type} failed: ${messageOf(error)}`, { cause: error });
    });
  });
});
