/** The thread that serves: it reads the names and the containers that it is told, and nothing else can hold it up. */
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../util/index.js';
import { Answering } from './answering.js';
import type { ToWorker, WorkerOptions } from './protocol.js';

const port = parentPort;
if (port === null) throw new Error('this module is the body of a worker thread');

const answering = new Answering(workerData as WorkerOptions, (message) =>
  port.postMessage(message),
);

async function handle(message: ToWorker): Promise<void> {
  if (message.type !== 'close') return answering.handle(message);
  await answering[Symbol.asyncDispose]();
  port?.close();
}

port.on('message', (message: ToWorker) => {
  handle(message).catch((error: unknown) => {
    // Ends the thread; the daemon starts another one and tells it everything anew.
    setImmediate(() => {
      throw new Error(`names: ${message.type} failed: ${messageOf(error)}`, { cause: error });
    });
  });
});
