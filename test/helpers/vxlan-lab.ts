/** Hosts, an underlay between them and containers, all of them network namespaces, for the data path's tests. */
import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmdirSync } from 'node:fs';
import { basename } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Address, type Mac, parseAddress, parseMac, parseVni } from '../../src/net/index.js';
import { createNetns, deleteNetns } from '../../src/netlink/index.js';
import { Closer } from '../../src/util/index.js';
import {
  type DatapathOptions,
  type KernelDatapath,
  type LocalEndpoint,
  type NetworkSpec,
  type Peer,
  openDatapath,
} from '../../src/vxlan/index.js';

const agentSource = fileURLToPath(
  new URL('../../../test/helpers/container-agent.py', import.meta.url),
);
const PREFIX = `vxlan-${process.pid}`;
let labs = 0;

export const NETWORK = '00000000aaaa';
export const spec = (over: Partial<NetworkSpec> = {}): NetworkSpec => ({
  id: NETWORK,
  vni: parseVni(77),
  mtu: 1450,
  ...over,
});

/** A 64-digit endpoint id whose first digits are the number. */
export const endpointId = (n: number): string => n.toString(16).padStart(11, '0').padEnd(64, 'f');

/** Container number n: 10.0.x.n, fd00::n and a MAC to match. */
export function endpoint(n: number, over: Partial<LocalEndpoint> = {}): LocalEndpoint {
  const ip4 = parseAddress(`10.0.${n >> 8}.${n & 255}`);
  const mac = parseMac(`02:42:0a:00:${hex(n >> 8)}:${hex(n & 255)}`);
  return {
    id: endpointId(n),
    mac,
    addresses: [ip4, parseAddress(`fd00::${n.toString(16)}`)],
    ...over,
  };
}

const hex = (octet: number): string => octet.toString(16).padStart(2, '0');

export const peer = (e: LocalEndpoint, vtep: Address): Peer => ({ ...e, vtep });

/** AVA brings an `nft` of its own, which npx puts first. */
const toolPath = (process.env['PATH'] ?? '')
  .split(':')
  .filter((dir) => !dir.endsWith('node_modules/.bin'))
  .join(':');

/** Runs a tool inside a namespace and answers what it prints. */
export function run(netns: string, ...command: readonly string[]): string {
  return execFileSync('nsenter', [`--net=${netns}`, ...command], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: toolPath },
  });
}

interface JsonFdb {
  readonly mac: string;
  readonly ifname: string;
  readonly dst?: string;
  readonly flags: readonly string[];
  readonly state?: string;
  readonly master?: string;
}

/** Rows of the FDB but those that the kernel keeps for its own MACs and groups, as text, sorted. */
export function fdbOf(host: LabHost, id = NETWORK): string[] {
  const rows = JSON.parse(run(host.network(id), 'bridge', '-j', 'fdb', 'show')) as JsonFdb[];
  return rows
    .filter(({ flags, state, ifname }) => {
      const isSelf = flags.includes('self');
      return isSelf ? ifname === 'vxlan0' : state !== 'permanent';
    })
    .map(({ mac, ifname, dst, flags, state }) =>
      [
        mac,
        `dev ${ifname}`,
        ...(dst === undefined ? [] : [`dst ${dst}`]),
        flags.includes('self') ? 'self' : 'master',
        state,
      ].join(' '),
    )
    .toSorted();
}

export function neighborsOf(host: LabHost, id = NETWORK): string[] {
  const rows = JSON.parse(run(host.network(id), 'ip', '-j', 'neigh')) as {
    readonly dst: string;
    readonly lladdr: string;
    readonly state: readonly string[];
  }[];
  return rows.map(({ dst, lladdr, state }) => `${dst} ${lladdr} ${state.join()}`).toSorted();
}

export async function until(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  withinMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await isTrue())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(10);
  }
}

/** A namespace with python inside: see container-agent.py. */
export class Container {
  readonly netns: string;
  readonly #agent: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<string>;

  constructor(netns: string) {
    this.netns = netns;
    const command = ['--pdeathsig', 'KILL', 'nsenter', `--net=${netns}`, 'python3', agentSource];
    this.#agent = spawn('setpriv', command, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#answers = createInterface(this.#agent.stdout)[Symbol.asyncIterator]();
  }

  async ask(verb: string, parameters: object = {}): Promise<unknown> {
    this.#agent.stdin.write(`${JSON.stringify({ verb, with: parameters })}\n`);
    const { value } = (await this.#answers.next()) as IteratorResult<string, undefined>;
    const answer = JSON.parse(value ?? '{"failed":"the agent has ended"}') as Record<
      string,
      unknown
    >;
    if ('failed' in answer) throw new Error(`${verb}: ${String(answer['failed'])}`);
    return answer['ok'];
  }

  /** Octets that the echo server there counted; undefined for no answer. */
  async udp(address: string, parameters: object = {}): Promise<number | undefined> {
    const answer = await this.ask('udp', { address, port: 7, ...parameters });
    return (answer as { octets?: number }).octets;
  }

  async tcp(address: string, parameters: object = {}): Promise<number | undefined> {
    const answer = await this.ask('tcp', { address, port: 7, ...parameters });
    return (answer as { octets?: number }).octets;
  }

  async seen(containing: string, within = 0): Promise<string[]> {
    return (await this.ask('seen', { containing, within })) as string[];
  }

  async close(): Promise<void> {
    if (this.#agent.exitCode !== null) return;
    const exit = once(this.#agent, 'exit');
    this.#agent.stdin.end();
    await exit;
  }
}

export interface LabHost {
  readonly vtep: Address;
  /** Its namespace, and the folder of its networks' namespaces. */
  readonly netns: string;
  readonly netnsDir: string;
  readonly datapath: KernelDatapath;
  /** Another data path on the same host, as after a restart. */
  open(over?: Partial<DatapathOptions>): Promise<KernelDatapath>;
  /** The namespace of a network there. */
  network(id?: string): string;
}

export interface LabOptions {
  readonly hosts?: number;
  readonly underlay?: 4 | 6;
  readonly underlayMtu?: number;
}

export class VxlanLab implements AsyncDisposable {
  readonly hosts: LabHost[] = [];
  readonly #closer = new Closer();
  readonly #prefix = `${PREFIX}-${(labs += 1)}`;
  #containers = 0;

  static async create(options: LabOptions = {}): Promise<VxlanLab> {
    const lab = new VxlanLab();
    try {
      const { hosts = 1, underlay = 4, underlayMtu = 1500 } = options;
      const hub = await lab.#netns('hub');
      run(hub, 'ip', 'link', 'add', 'br0', 'mtu', '9200', 'up', 'type', 'bridge');
      for (let n = 1; n <= hosts; n += 1) await lab.#addHost(hub, n, underlay, underlayMtu);
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #netns(name: string): Promise<string> {
    const path = `/run/netns/${this.#prefix}-${name}`;
    await createNetns(path);
    this.#closer.defer(async () => deleteNetns(path));
    return path;
  }

  async #addHost(hub: string, n: number, family: 4 | 6, mtu: number): Promise<void> {
    const netns = await this.#netns(`h${n}`);
    const vtep = parseAddress(family === 4 ? `192.168.0.${n}` : `fd11::${n}`);
    const hubName = basename(hub);
    run(
      netns,
      ...`ip link add u0 mtu ${mtu} type veth peer name u${n} netns ${hubName}`.split(' '),
    );
    run(netns, ...`ip address add ${vtep}/${family === 4 ? 24 : 64} dev u0 nodad`.split(' '));
    run(netns, 'ip', 'link', 'set', 'u0', 'up');
    run(hub, ...`ip link set u${n} mtu 9200 master br0 up`.split(' '));
    const netnsDir = `/run/${this.#prefix}-h${n}`;
    this.#closer.defer(async () => removeNetnsDir(netnsDir));
    const open = async (over: Partial<DatapathOptions> = {}) =>
      openDatapath({ underlay: { vtep, port: 4789 }, netnsDir, hostNetns: netns, ...over });
    const datapath = this.#closer.use(await open());
    const network = (id = NETWORK) => `${netnsDir}/weft-${id}`;
    this.hosts.push({ vtep, netns, netnsDir, datapath, open, network });
  }

  /** A container without links. */
  async container(): Promise<Container> {
    const container = new Container(await this.#netns(`c${(this.#containers += 1)}`));
    this.#closer.defer(async () => container.close());
    run(container.netns, 'ip', 'link', 'set', 'lo', 'up');
    return container;
  }

  /** Attaches an endpoint on a host, and does what Docker does with its link; it answers on port 7. */
  async attach(host: LabHost, e: LocalEndpoint, networkId = NETWORK): Promise<Container> {
    const { linkName } = await host.datapath.ensureEndpoint(networkId, e);
    const container = await this.container();
    plug(host.netns, linkName, container.netns, e.addresses);
    for (const address of e.addresses) await container.ask('serve', { address, port: 7 });
    return container;
  }

  /** Tells every host what runs on the others. */
  async tellAll(running: readonly (readonly LocalEndpoint[])[], id = NETWORK): Promise<void> {
    for (const host of this.hosts) {
      const others = this.hosts.map((h, i) => [h, running[i] ?? []] as const);
      await host.datapath.setRemote(id, {
        vteps: this.hosts.filter((h) => h !== host).map((h) => h.vtep),
        peers: others.flatMap(([h, es]) => (h === host ? [] : es.map((e) => peer(e, h.vtep)))),
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closer.close();
  }
}

/** Moves a link into a container and sets it up there, as Docker does. */
export function plug(
  host: string,
  link: string,
  container: string,
  addresses: readonly string[],
): void {
  run(host, 'ip', 'link', 'set', link, 'netns', basename(container), 'name', 'eth0');
  for (const address of addresses) {
    const length = address.includes(':') ? 64 : 16;
    run(container, ...`ip address add ${address}/${length} dev eth0 nodad`.split(' '));
  }
  run(container, 'ip', 'link', 'set', 'eth0', 'up');
}

/** createNetns makes the folder a mount of its own. */
async function removeNetnsDir(dir: string): Promise<void> {
  let names: string[];
  try {
    names = readdirSync(dir);
  } catch {
    return;
  }
  for (const name of names) await deleteNetns(`${dir}/${name}`);
  execFileSync('umount', [dir]);
  rmdirSync(dir);
}

export const macOf = (text: string): Mac => parseMac(text);
