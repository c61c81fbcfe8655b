import type { NamedHost, Share } from '../zone/index.js';
import { type Peer, type PeerEvents, openProcess, openThread } from './peer.js';
import type { FromWorker, Sandbox, SandboxState, ToWorker, WorkerOptions } from './protocol.js';

/** What ended by itself is followed by another one after so long; whoever starts processes has had a second then. */
const RESTART_MS = 2000;
/** How often a process is looked for while a thread serves. */
const LOOK_MS = 5000;

export interface NameServerOptions extends WorkerOptions {
  /** Where a process serves that survives this one (see {@link openNamesProcess}); without it, or when it is not there, a thread does. */
  readonly socketPath?: string;
  /** `reason`: why it waits or failed. */
  readonly onSandbox: (path: string, state: SandboxState, reason: string | undefined) => void;
  /** Of the listener for the host, where there is one. */
  readonly onHost?: (state: SandboxState, reason: string | undefined) => void;
  /** The thread or process ended by itself; another one takes its place. */
  readonly onCrash: (error: unknown) => void;
  /** The other one is there, and knows no shares yet. */
  readonly onReplaced: () => void;
}

/**
 * Whoever serves, from outside. When another one takes its place, it is told here what it shall serve; the shares, of which there
 * may be many, whoever owns them tells again.
 *
 * Nothing here waits but `serve`, and closing.
 */
export class NameServer implements AsyncDisposable {
  readonly #options: NameServerOptions;
  readonly #sandboxes = new Map<string, Sandbox>();
  readonly #waiting = new Map<string, Set<() => void>>();
  #hosts: readonly NamedHost[] = [];
  #peer: Peer | undefined;
  #restart: NodeJS.Timeout | undefined;
  #lookout: NodeJS.Timeout | undefined;
  #isClosed = false;

  private constructor(options: NameServerOptions) {
    this.#options = options;
  }

  /** Resolves when somebody serves, or has ended already and will be followed by another one. */
  static async open(options: NameServerOptions): Promise<NameServer> {
    const server = new NameServer(options);
    await server.#connect();
    return server;
  }

  setShare(share: Share): void {
    this.#tell({ type: 'share', share });
  }

  /** Of a share that was set: `endpoints` came or are others now, those with the ids in `gone` went. */
  changeShare(share: Share, gone: readonly string[]): void {
    this.#tell({ type: 'part', share, gone });
  }

  deleteShare(network: string, host: string): void {
    this.#tell({ type: 'no-share', network, host });
  }

  /** There are no shares of this network but of these hosts. */
  keepHosts(network: string, hosts: readonly string[]): void {
    this.#tell({ type: 'only-hosts', network, hosts });
  }

  /** There are no networks but these, and no containers but those that were served by now. */
  keep(networks: readonly string[]): void {
    this.#tell({ type: 'only', networks, paths: this.served() });
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

  /** The process, when there is one, else a thread. */
  async #connect(): Promise<void> {
    if (await this.#connectProcess()) return;
    const thread = await openThread(this.#told(), this.#events());
    if (this.#isClosed) return thread.close();
    this.#peer = thread;
    this.#lookLater(thread);
  }

  async #connectProcess(): Promise<boolean> {
    const { socketPath } = this.#options;
    if (socketPath === undefined) return false;
    try {
      const before = this.#peer;
      const peer = await openProcess(socketPath, this.#told(), this.#events());
      if (this.#isClosed) await peer.close();
      else this.#peer = peer;
      await before?.close();
      return true;
    } catch {
      return false; // nobody listens there
    }
  }

  /** A process that comes later takes over from the thread. */
  #lookLater(thread: Peer): void {
    if (this.#options.socketPath === undefined || this.#isClosed) return;
    this.#lookout = setTimeout(() => void this.#look(thread), LOOK_MS);
  }

  async #look(thread: Peer): Promise<void> {
    if (this.#peer !== thread) return;
    if (await this.#connectProcess()) this.#retell();
    else this.#lookLater(thread);
  }

  #told(): WorkerOptions {
    const { ttlSec, localFirst, listen } = this.#options;
    return { ttlSec, localFirst, listen };
  }

  #events(): PeerEvents {
    return {
      onMessage: (message) => this.#onMessage(message),
      onGone: (error) => {
        this.#peer = undefined;
        if (this.#isClosed) return;
        this.#options.onCrash(error);
        this.#restart = setTimeout(() => void this.#replace(), RESTART_MS);
      },
    };
  }

  async #replace(): Promise<void> {
    await this.#connect();
    this.#retell();
  }

  #retell(): void {
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
    this.#peer?.post(message);
  }

  /** A thread leaves all containers; a process goes on. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#restart);
    clearTimeout(this.#lookout);
    for (const path of this.#waiting.keys()) this.#release(path);
    await this.#peer?.close();
  }
}
