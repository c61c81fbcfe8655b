import { Zone } from '../zone/index.js';
import { HostListener } from './host-listener.js';
import type { FromWorker, ToWorker, WorkerOptions } from './protocol.js';
import { Sandboxes } from './sandboxes.js';

/** The names and the containers that a thread or process was told, and how it is told. */
export class Answering implements AsyncDisposable {
  readonly zone: Zone;
  readonly #tell: (message: FromWorker) => void;
  readonly #sandboxes: Sandboxes;
  #listen: string | undefined;
  #host: HostListener | undefined;

  constructor(options: WorkerOptions, tell: (message: FromWorker) => void) {
    this.#tell = tell;
    this.zone = new Zone(options);
    this.#sandboxes = new Sandboxes(this.zone, (path, state, reason) =>
      tell({ type: 'sandbox', path, state, ...(reason !== undefined && { reason }) }),
    );
    this.setOptions(options);
  }

  /** From now on. */
  setOptions(options: WorkerOptions): void {
    this.zone.options = options;
    const { listen } = options;
    if (JSON.stringify(listen) === this.#listen) return;
    this.#listen = JSON.stringify(listen);
    void this.#host?.[Symbol.asyncDispose]();
    this.#host =
      listen &&
      new HostListener(listen, this.zone, (state, reason) =>
        this.#tell({ type: 'host', state, ...(reason !== undefined && { reason }) }),
      );
  }

  async handle(message: Exclude<ToWorker, { type: 'close' }>): Promise<void> {
    switch (message.type) {
      case 'share':
        return this.zone.setShare(message.share);
      case 'part':
        return this.zone.changeShare(message.share, message.gone);
      case 'no-share':
        return this.zone.deleteShare(message.network, message.host);
      case 'only-hosts':
        return this.zone.keepHosts(message.network, new Set(message.hosts));
      case 'only':
        this.zone.keepNetworks(new Set(message.networks));
        return this.#sandboxes.keep(new Set(message.paths));
      case 'hosts':
        return this.zone.setHosts(message.hosts);
      case 'serve':
        return this.#sandboxes.serve(message.sandbox);
      case 'leave':
        return this.#sandboxes.leave(message.path);
    }
  }

  /** Leaves the containers whose namespaces' files are gone, or are another's. */
  async leaveGone(): Promise<void> {
    await this.#sandboxes.leaveGone();
  }

  /** Leaves all containers, whose questions go to Docker's resolver then, and the host, and forgets all names. */
  async leaveAll(): Promise<void> {
    this.setOptions({ ttlSec: 0, localFirst: false });
    this.zone.keepNetworks(new Set());
    await this.#sandboxes.keep(new Set());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host?.[Symbol.asyncDispose]();
    await this.#sandboxes[Symbol.asyncDispose]();
  }
}
