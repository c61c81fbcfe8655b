/** Hosts that exist in the store only: they write what real ones would, and move endpoints about. */
import { createHash } from 'node:crypto';
import { formatHead, keys } from '../../src/cluster/documents.js';
import {
  type Mac,
  type Prefix,
  addressFromBigInt,
  formatAddressWithLength,
  macFromAddress,
  rangeOf,
} from '../../src/net/index.js';

export interface SwarmNetwork {
  readonly id: string;
  readonly prefix: Prefix;
}

export interface SwarmSize {
  readonly hosts: number;
  readonly endpoints: number;
}

interface Simulated {
  readonly id: string;
  readonly network: SwarmNetwork;
  /** Numbers of its endpoints, which make their ids and addresses. */
  readonly endpoints: number[];
}

/** Consul takes 64 operations and half a megabyte in one transaction. */
const BATCH = 32;
/** A host has so many networks; with more, the documents would only be smaller. */
const NETWORKS_EACH = 2;
/** The first addresses of a pool may be the real host's. */
const FIRST = 600;

export class Swarm {
  readonly #url: string;
  readonly #networks: readonly SwarmNetwork[];
  readonly #shares: Simulated[] = [];
  readonly #next = new Map<string, number>();

  constructor(consulUrl: string, networks: readonly SwarmNetwork[]) {
    this.#url = consulUrl;
    this.#networks = networks;
  }

  get endpoints(): number {
    return this.#shares.reduce((sum, { endpoints }) => sum + endpoints.length, 0);
  }

  /** Adds hosts and endpoints until there are so many. */
  async growTo({ hosts, endpoints }: SwarmSize): Promise<void> {
    const before = this.#shares.length / NETWORKS_EACH;
    const texts = new Map<string, string>();
    for (let n = before; n < hosts; n += 1) {
      const id = hostId(n);
      texts.set(`hosts/${id}`, hostText(n));
      for (let i = 0; i < NETWORKS_EACH; i += 1) {
        const network = this.#networks[(n * NETWORKS_EACH + i) % this.#networks.length]!;
        this.#shares.push({ id, network, endpoints: [] });
      }
    }
    const each = Math.floor(endpoints / this.#shares.length);
    for (const share of this.#shares) {
      while (share.endpoints.length < each) share.endpoints.push(this.#number(share.network));
      texts.set(keyOf(share), textOf(share));
    }
    await this.#put([...texts]);
  }

  /** One host replaces one container; resolves to the new one's MAC, network and when the write began. */
  async change(n: number): Promise<{ mac: Mac; networkId: string; began: number }> {
    const share = this.#shares[(n * 7919) % this.#shares.length]!;
    share.endpoints.shift();
    const number = this.#number(share.network);
    share.endpoints.push(number);
    const mac = macOf(share.network, number);
    const began = performance.now();
    await this.#put([[keyOf(share), textOf(share)]]);
    return { mac, networkId: share.network.id, began };
  }

  #number({ id }: SwarmNetwork): number {
    const number = this.#next.get(id) ?? FIRST;
    this.#next.set(id, number + 1);
    return number;
  }

  async #put(texts: readonly (readonly [string, string])[]): Promise<void> {
    for (let at = 0; at < texts.length; at += BATCH) {
      const operations = texts.slice(at, at + BATCH).flatMap(([key, text]) => {
        const head = key.replace(keys.everyEndpoint, keys.everyHead);
        return head === key
          ? [setOf(key, text)]
          : [setOf(key, text), setOf(head, formatHead(text))];
      });
      const body = JSON.stringify(operations);
      const reply = await fetch(`${this.#url}/v1/txn`, { method: 'PUT', body });
      if (reply.status !== 200) throw new Error(`Consul took no write: ${await reply.text()}`);
      await reply.text();
    }
  }
}

const setOf = (key: string, text: string) => ({
  KV: { Verb: 'set', Key: `weft/v1/${key}`, Value: Buffer.from(text).toString('base64') },
});

const hostId = (n: number): string => `sim${String(n).padStart(9, '0')}`;

/** Underlay addresses where nobody is: nothing is sent to them. */
function hostText(n: number): string {
  const vtep = `100.64.${n >> 8}.${n & 255}`;
  const rest = { mtu: 1500, version: '0', startedAt: '2026-01-01T00:00:00.000Z' };
  return JSON.stringify({ v: 1, id: hostId(n), name: hostId(n), vtep, ...rest });
}

const keyOf = ({ id, network }: Simulated): string => `endpoints/${network.id}/${id}`;

function addressOf({ prefix }: SwarmNetwork, number: number) {
  const { first, last } = rangeOf(prefix);
  const room = last - first - BigInt(FIRST) - 1n;
  const address = addressFromBigInt(4, first + BigInt(FIRST) + (BigInt(number - FIRST) % room));
  return address;
}

const macOf = (network: SwarmNetwork, number: number): Mac => {
  const last = macFromAddress(addressOf(network, number)).slice('02:42'.length);
  // Addresses come again after a while; MACs do not, so that each change can be told from the one before.
  const turn = Math.floor((number - FIRST) / 3000) % 200;
  return `06:${turn.toString(16).padStart(2, '0')}${last}` as Mac;
};

function textOf({ id, network, endpoints }: Simulated): string {
  const prefixLength = Number(network.prefix.split('/')[1]);
  return JSON.stringify({
    v: 1,
    network: network.id,
    host: id,
    endpoints: endpoints.map((number) => {
      const endpoint = createHash('sha256').update(`${network.id} ${number}`).digest('hex');
      // A container of a service, one of many that share its name.
      const name = `service-${number % 100}-${number}`;
      return {
        id: endpoint,
        mac: macOf(network, number),
        addresses: [formatAddressWithLength({ address: addressOf(network, number), prefixLength })],
        name,
        dns: { container: endpoint.slice(0, 12), names: [name, `service-${number % 100}`] },
      };
    }),
  });
}
