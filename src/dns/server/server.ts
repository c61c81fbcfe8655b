import { Worker } from 'node:worker_threads';
import { SMALL_HEAP, keepHeapSmallBeside } from '../../util/index.js';
import type { NamedHost, Share } from '../zone/index.js';
import type { FromWorker, Sandbox, SandboxState, ToWorker, WorkerOptions } from './protocol.js';

/** A thread that ended by itself is followed by another one after so long. */
const RESTART_MS = 1000;
const CLOSE_MS = 2000;

export interface NameServerOptions extends WorkerOptions {
  /** `reason`: why it waits or failed. */
  readonly onSandbox: (path: string, state: SandboxState, reason: string | undefined) => void;
  /** Of the listener for the host, where there is one. */
  readonly onHost?: (state: SandboxState, reason: string | undefined) => void;
  /** The thread ended by itself; another one takes its place. */
  readonly onCrash: (error: unknown) => void;
  /** The other one is there, and knows no shares yet. */
  readonly onReplaced: () => void;
}

/**
 * The serving thread, from outside. When another one takes its place, it is told here what it shall serve; the shares, of which there
 * may be many, whoever owns them tells again.
 *
 * Nothing here waits but `serve`, and closing.
 */
export class NameServer implements AsyncDisposable {
  readonly #options: NameServerOptions;
  readonly #sandboxes = new Map<string, Sandbox>();
  readonly #waiting = new Map<string, Set<() => void>>();
  #hosts: readonly NamedHost[] = [];
  #worker: Worker;
  #started = Promise.resolve();
  #restart: NodeJS.Timeout | undefined;
  #isClosed = false;

  private constructor(options: NameServerOptions) {
    this.#options = options;
    this.#worker = this.#spawn();
  }

  /** Resolves when the thread runs, or has ended already and will be followed by another one. */
  static async open(options: NameServerOptions): Promise<NameServer> {
    const server = new NameServer(options);
    await server.#started;
    return server;
  }

  setShare(share: Share): void {
    this.#tell({ type: 'share', share });
  }

  deleteShare(network: string, host: string): void {
    this.#tell({ type: 'no-share', network, host });
  }

  setHosts(hosts: readonly NamedHost[]): void {
    this.#hosts = hosts;
    this.#tell({ type: 'hosts', hosts });
  }

  /**
   * Serves the container in this namespace, or changes what it may ask about and whom else it asks. Resolves when it is served, when
   * it is clear that it can't be yet, or after `waitMs`.
   */
  async serve(sandbox: Sandbox, waitMs: number): Promise<void> {
    const { path } = sandbox;
    const isNew = !this.#sandboxes.has(path);
    this.#sandboxes.set(path, sandbox);
    this.#tell({ type: 'serve', sandbox });
    if (!isNew || waitMs === 0) return;
    await new Promise<void>((resolve) => {
      const waiting = this.#waiting.get(path) ?? new Set();
      this.#waiting.set(path, waiting);
      const timer = setTimeout(done, waitMs);
      function done(): void {
        clearTimeout(timer);
        waiting.delete(done);
        resolve();
      }
      waiting.add(done);
    });
  }

  leave(path: string): void {
    if (this.#sandboxes.delete(path)) this.#tell({ type: 'leave', path });
    this.#release(path);
  }

  /** Paths of all that is served or shall be. */
  served(): string[] {
    return [...this.#sandboxes.keys()];
  }

  #spawn(): Worker {
    const { ttlSec, localFirst, listen } = this.#options;
    const worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: { ttlSec, localFirst, listen } satisfies WorkerOptions,
      resourceLimits: SMALL_HEAP,
    });
    keepHeapSmallBeside(worker);
    this.#started = new Promise((resolve) => {
      worker.once('online', resolve);
      worker.once('exit', () => resolve());
    });
    let reason: unknown;
    worker.on('message', (message: FromWorker) => this.#onMessage(message));
    worker.on('error', (error) => (reason = error));
    worker.on('exit', (code) => {
      if (this.#isClosed) return;
      this.#options.onCrash(reason ?? new Error(`the thread that answers names ended: ${code}`));
      this.#restart = setTimeout(() => this.#replace(), RESTART_MS);
    });
    return worker;
  }

  #replace(): void {
    this.#worker = this.#spawn();
    this.#tell({ type: 'hosts', hosts: this.#hosts });
    this.#options.onReplaced();
    for (const sandbox of this.#sandboxes.values()) this.#tell({ type: 'serve', sandbox });
  }

  #onMessage(message: FromWorker): void {
    const { state, reason } = message;
    if (message.type === 'host') {
      this.#options.onHost?.(state, reason);
      return;
    }
    const { path } = message;
    this.#options.onSandbox(path, state, reason);
    if (state === 'failed') this.#sandboxes.delete(path);
    this.#release(path);
  }

  #release(path: string): void {
    for (const done of this.#waiting.get(path) ?? []) done();
    this.#waiting.delete(path);
  }

  #tell(message: ToWorker): void {
    this.#worker.postMessage(message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#restart);
    for (const path of this.#waiting.keys()) this.#release(path);
    const ended = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.#tell({ type: 'close' });
    const timer = setTimeout(() => void this.#worker.terminate(), CLOSE_MS);
    if (this.#worker.threadId !== -1) await ended;
    clearTimeout(timer);
  }
}
