import { once } from 'node:events';
import { type Socket, createServer } from 'node:net';
import { Closer, claimUnixSocket } from '../../util/index.js';
import { Answering } from './answering.js';
import { readLines } from './lines.js';
import { type FromWorker, type Hello, PROTOCOL, type ToWorker } from './protocol.js';

/**
 * How long containers are answered what the daemon said last: longer than an upgrade takes, and not so long that addresses of what is gone
 * are others' by then. After that they have Docker's resolver.
 */
const ALONE_MS = 300_000;
const SWEEP_MS = 5000;

export interface NamesProcessOptions {
  readonly socketPath: string;
  /** Default: five minutes. */
  readonly aloneMs?: number;
  /** `used`: a daemon has come. `alone`: it has gone. `released`: for so long that all containers were left. */
  readonly onState: (state: 'used' | 'alone' | 'released') => void;
  /** It can't go on, and has to be started anew: a daemon speaks otherwise, or something here is broken. */
  readonly onEnd: (error: Error) => void;
}

/**
 * Answers containers for a daemon that may come and go, each of which tells it everything. What the daemon before had told stays until the new
 * one has said otherwise.
 *
 * Throws SOCKET_IN_USE when another such process runs.
 */
export async function openNamesProcess(options: NamesProcessOptions): Promise<AsyncDisposable> {
  const served = new NamesProcess(options);
  const server = createServer((socket) => served.welcome(socket));
  const closer = new Closer();
  closer.use(served);
  closer.use({ [Symbol.asyncDispose]: async () => void server.close() });
  const claim = {
    path: options.socketPath,
    mode: 0o600,
    directoryMode: 0o700,
    listen: async (path: string) => once(server.listen({ path }), 'listening'),
  };
  try {
    closer.use(await claimUnixSocket(claim));
  } catch (error) {
    await closer.close();
    throw error;
  }
  return { [Symbol.asyncDispose]: async () => closer.close() };
}

class NamesProcess implements AsyncDisposable {
  readonly #options: NamesProcessOptions;
  readonly #answering: Answering;
  #daemon: Socket | undefined;
  #release: NodeJS.Timeout | undefined;
  readonly #sweeper: NodeJS.Timeout;

  constructor(options: NamesProcessOptions) {
    this.#options = options;
    this.#answering = new Answering({ ttlSec: 0, localFirst: false }, (message) =>
      this.#tell(message),
    );
    this.#sweeper = setInterval(() => {
      // While there is a daemon, it knows.
      if (!this.#daemon) void this.#answering.leaveGone();
    }, SWEEP_MS);
  }

  /** The last one that came and said hello counts. */
  welcome(socket: Socket): void {
    let isGreeted = false;
    socket.on('error', () => undefined);
    socket.once('close', () => {
      if (this.#daemon === socket) this.#onAlone();
    });
    readLines(socket, (line) => {
      if (isGreeted) return this.#hear(socket, line as ToWorker);
      isGreeted = true;
      this.#greet(socket, line as Hello);
    });
  }

  #greet(socket: Socket, { protocol, options }: Hello): void {
    if (protocol !== PROTOCOL) {
      const text = `the daemon speaks protocol ${protocol}, this process ${PROTOCOL}`;
      return this.#options.onEnd(new Error(text));
    }
    const before = this.#daemon;
    this.#daemon = socket;
    before?.destroy();
    clearTimeout(this.#release);
    this.#answering.setOptions(options);
    this.#options.onState('used');
  }

  #hear(socket: Socket, message: ToWorker): void {
    if (this.#daemon !== socket || message.type === 'close') return;
    this.#answering.handle(message).catch((error: unknown) => {
      this.#options.onEnd(new Error(`names: ${message.type} failed`, { cause: error }));
    });
  }

  #onAlone(): void {
    this.#daemon = undefined;
    this.#options.onState('alone');
    this.#release = setTimeout(() => {
      void this.#answering.leaveAll();
      this.#options.onState('released');
    }, this.#options.aloneMs ?? ALONE_MS);
  }

  #tell(message: FromWorker): void {
    this.#daemon?.write(`${JSON.stringify(message)}\n`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#sweeper);
    const daemon = this.#daemon;
    this.#daemon = undefined;
    daemon?.destroy();
    clearTimeout(this.#release);
    await this.#answering[Symbol.asyncDispose]();
  }
}
