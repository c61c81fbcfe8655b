/** Whoever serves, as the daemon sees it. */
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { Worker } from 'node:worker_threads';
import { SMALL_HEAP, keepHeapSmallBeside } from '../../util/index.js';
import { readLines } from './lines.js';
import {
  type FromWorker,
  type Hello,
  PROTOCOL,
  type ToWorker,
  type WorkerOptions,
} from './protocol.js';

const CLOSE_MS = 2000;
/** What a process has not read by then it will not read. Ten times what 10,000 endpoints take. */
const MAX_UNREAD_OCTETS = 64 << 20;

export interface Peer {
  post(message: ToWorker): void;
  /** Lets go of it. A thread ends; a process goes on. */
  close(): Promise<void>;
}

export interface PeerEvents {
  readonly onMessage: (message: FromWorker) => void;
  /** It ended by itself; never after `close`. */
  readonly onGone: (error: unknown) => void;
}

/** A thread of this process. Resolves when it runs, or has ended already. */
export async function openThread(workerData: WorkerOptions, events: PeerEvents): Promise<Peer> {
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    workerData,
    resourceLimits: SMALL_HEAP,
  });
  keepHeapSmallBeside(worker);
  let isClosed = false;
  let reason: unknown;
  worker.on('message', (message: FromWorker) => events.onMessage(message));
  worker.on('error', (error) => (reason = error));
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  worker.on('exit', (code) => {
    if (isClosed) return;
    events.onGone(reason ?? new Error(`the thread that answers names ended: ${code}`));
  });
  await Promise.race([new Promise((resolve) => worker.once('online', resolve)), exited]);
  return {
    post: (message) => worker.postMessage(message),
    close: async () => {
      isClosed = true;
      worker.postMessage({ type: 'close' } satisfies ToWorker);
      const timer = setTimeout(() => void worker.terminate(), CLOSE_MS);
      if (worker.threadId !== -1) await exited;
      clearTimeout(timer);
    },
  };
}

/** The process that listens at `socketPath`. Throws Node's error when nobody does. */
export async function openProcess(
  socketPath: string,
  options: WorkerOptions,
  events: PeerEvents,
): Promise<Peer> {
  const socket = createConnection(socketPath);
  await once(socket, 'connect');
  let reason: unknown;
  socket.on('error', (error) => (reason = error));
  socket.once('close', () =>
    events.onGone(reason ?? new Error('the process that answers names has ended')),
  );
  readLines(socket, (line) => events.onMessage(line as FromWorker));
  const write = (line: Hello | ToWorker): void => {
    socket.write(`${JSON.stringify(line)}\n`);
    if (socket.writableLength > MAX_UNREAD_OCTETS) {
      socket.destroy(new Error('the process that answers names does not read what it is told'));
    }
  };
  write({ protocol: PROTOCOL, options });
  return {
    post: write,
    close: async () => {
      socket.removeAllListeners('close');
      if (socket.closed) return;
      const closed = once(socket, 'close');
      socket.end();
      const timer = setTimeout(() => socket.destroy(), CLOSE_MS);
      await closed;
      clearTimeout(timer);
    },
  };
}
