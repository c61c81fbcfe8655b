import { setImmediate as turn } from 'node:timers/promises';
import type { HostDocument, RemoteState } from '../cluster/index.js';
import type { Mac } from '../net/index.js';
import type { Datapath } from '../vxlan/index.js';
import { Latest } from './latest.js';
import type { Log } from './log.js';

/** Carries what other hosts announce to the data path: one write per network at a time, always the newest. */
export class Remotes implements AsyncDisposable {
  readonly #datapath: Datapath;
  readonly #states = new Map<string, RemoteState>();
  readonly #networks: Latest<RemoteState>;
  readonly #hosts: Latest<readonly HostDocument[]>;

  constructor(datapath: Datapath, hostId: string, log: Log) {
    this.#datapath = datapath;
    this.#networks = new Latest(
      async (networkId, state) => this.#program(networkId, state),
      (network, err) => log.warn({ network, err }, 'peers not programmed; will be repaired'),
    );
    this.#hosts = new Latest(
      async (_, hosts) => {
        const others = hosts.filter((host) => host.id !== hostId);
        await datapath.setKnownVteps(others.map((host) => host.vtep));
      },
      (_, err) => log.warn({ err }, 'known hosts not programmed; will be repaired'),
    );
  }

  onHosts(hosts: readonly HostDocument[]): void {
    this.#hosts.set('', hosts);
  }

  onRemote(networkId: string, state: RemoteState): void {
    this.#states.set(networkId, state);
    this.#networks.set(networkId, state);
  }

  forget(networkId: string): void {
    this.#states.delete(networkId);
  }

  /** The other host that has this MAC on this network. */
  ownerOfMac(networkId: string, mac: Mac): string | undefined {
    return this.#states.get(networkId)?.endpoints.find((e) => e.mac === mac)?.hostName;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#networks.idle(), this.#hosts.idle()]);
  }

  async #program(networkId: string, state: RemoteState): Promise<void> {
    // To find out what changed took its time, and each step here takes some as well: others have their turn in between.
    await turn();
    const { endpoints, vteps } = state;
    await turn();
    await this.#datapath.setRemote(networkId, { peers: endpoints, vteps });
  }
}
