/** What is so at one moment: read from the store, from each Docker, from each kernel, from the processes. Judges nothing. */
import { readdir, readFile } from 'node:fs/promises';
import type { Host, Lab } from '../../lab/index.js';
import { getOverSocket } from '../../src/util/index.js';
import { namespacesOf } from './damage.js';
import type { ProbeResult } from './probes.js';

export interface StoredHost {
  readonly id: string;
  readonly name: string;
  readonly vtep: string;
}

export interface StoredNetwork {
  readonly id: string;
  readonly name?: string;
  readonly vni: number;
  readonly pools: readonly { readonly id: string; readonly prefix: string }[];
}

export interface StoredEndpoints {
  readonly network: string;
  readonly host: string;
  readonly endpoints: readonly {
    readonly id: string;
    readonly mac: string;
    /** With prefix length. */
    readonly addresses: readonly string[];
  }[];
}

export interface StoredBlock {
  readonly pool: string;
  readonly taken: readonly string[];
}

export interface StoreFacts {
  readonly hosts: readonly StoredHost[];
  readonly networks: readonly StoredNetwork[];
  readonly endpoints: readonly StoredEndpoints[];
  readonly blocks: readonly StoredBlock[];
  /** Keys of everything, to find what belongs to nothing. */
  readonly keys: readonly string[];
  /** Gateway and aux addresses of each pool. */
  readonly setAside: Readonly<Record<string, readonly string[]>>;
}

export interface DockerContainer {
  readonly name: string;
  readonly networks: readonly {
    readonly name: string;
    readonly endpointId: string;
    readonly address: string;
    readonly mac: string;
  }[];
}

export interface DockerFacts {
  /** Those that run. */
  readonly containers: readonly DockerContainer[];
  /** Names of networks of weft's driver. */
  readonly networks: readonly string[];
}

export interface KernelNetwork {
  /** weft's id. */
  readonly id: string;
  readonly links: readonly {
    readonly name: string;
    readonly vni?: number;
    readonly isUp: boolean;
    readonly master?: string;
  }[];
  /** Forwarding rows to other hosts, as "MAC address". */
  readonly rows: readonly string[];
  /** What the bridge forwards where, as "MAC link"; the links' own MACs left out. */
  readonly forwarding: readonly string[];
  /** Permanent neighbors, as "address MAC". */
  readonly neighbors: readonly string[];
  readonly hasSenderFilter: boolean;
}

export interface KernelFacts {
  readonly networks: readonly KernelNetwork[];
  /** Links of ours in the host's own namespace, which a container should have taken along. */
  readonly strayLinks: readonly string[];
  readonly guardVteps: readonly string[];
}

export interface DaemonFacts {
  readonly pid: number | undefined;
  readonly descriptors: number;
  readonly residentBytes: number;
  readonly degraded: readonly string[];
}

export interface HostFacts {
  readonly name: string;
  readonly docker: DockerFacts;
  readonly kernel: KernelFacts;
  readonly daemon: DaemonFacts;
}

export interface Facts {
  readonly store: StoreFacts;
  readonly hosts: readonly HostFacts[];
  readonly probes: readonly ProbeResult[];
  /** Of the reach that counts. */
  readonly round: number;
}

const ASK_MS = 10_000;
const MAX_BYTES = 10_000_000;

export async function collect(
  lab: Lab,
  probes: { readonly live: () => readonly ProbeResult[]; readonly round: number },
): Promise<Facts> {
  const [store, ...hosts] = await Promise.all([
    readStore(lab),
    ...lab.hosts.map(async (host) => ({
      name: host.name,
      docker: await readDocker(host),
      kernel: await readKernel(host),
      daemon: await readDaemon(host),
    })),
  ]);
  return { store, hosts, probes: probes.live(), round: probes.round };
}

async function readStore(lab: Lab): Promise<StoreFacts> {
  const url = `${lab.consul[0]!.url}/v1/kv/weft/v1/?recurse`;
  const reply = await fetch(url, { signal: AbortSignal.timeout(ASK_MS) });
  const listed = (reply.status === 404 ? [] : await reply.json()) as {
    Key: string;
    Value: string | null;
  }[];
  const entries = listed.map(({ Key, Value }) => ({
    key: Key.slice('weft/v1/'.length),
    value: Value === null ? '' : Buffer.from(Value, 'base64').toString(),
  }));
  const under = <T>(prefix: string): T[] =>
    entries.filter(({ key }) => key.startsWith(prefix)).map(({ value }) => JSON.parse(value) as T);
  const blocks = entries.filter(({ key }) => key.startsWith('blocks/'));
  const pools = entries.filter(({ key }) => key.startsWith('pools/'));
  return {
    hosts: under('hosts/'),
    networks: under('networks/'),
    endpoints: under('endpoints/'),
    blocks: blocks.map(({ key, value }) => ({
      pool: key.split('/')[1]!,
      taken: Object.keys((JSON.parse(value) as { taken: object }).taken),
    })),
    keys: entries.map(({ key }) => key),
    setAside: Object.fromEntries(
      pools.map(({ key, value }) => {
        const { gateway, aux } = JSON.parse(value) as { gateway?: string; aux: string[] };
        return [key.slice('pools/'.length), [...(gateway === undefined ? [] : [gateway]), ...aux]];
      }),
    ),
  };
}

async function ask<T>(host: Host, socket: string, path: string): Promise<T> {
  const socketPath = host.path(socket);
  const reply = await getOverSocket({ socketPath, path, timeoutMs: ASK_MS, maxBytes: MAX_BYTES });
  return JSON.parse(reply.body) as T;
}

interface ListedContainer {
  readonly Names: readonly string[];
  readonly State: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly NetworkSettings: {
    readonly Networks: Readonly<
      Record<
        string,
        { readonly EndpointID: string; readonly IPAddress: string; readonly MacAddress: string }
      >
    >;
  };
}

async function readDocker(host: Host): Promise<DockerFacts> {
  const docker = '/run/docker.sock';
  const networks = await ask<{ Name: string; Driver: string }[]>(host, docker, '/networks');
  const ours = networks.filter(({ Driver }) => Driver === 'weft').map(({ Name }) => Name);
  const all = await ask<ListedContainer[]>(host, docker, '/containers/json?all=1');
  const nameOf = ({ Names }: ListedContainer): string => Names[0]!.slice(1);
  return {
    networks: ours,
    containers: all
      .filter(({ State }) => State === 'running')
      .map((container) => ({
        name: nameOf(container),
        networks: Object.entries(container.NetworkSettings.Networks)
          .filter(([name]) => ours.includes(name))
          .map(([name, { EndpointID, IPAddress, MacAddress }]) => ({
            name,
            endpointId: EndpointID,
            address: IPAddress,
            mac: MacAddress,
          })),
      })),
  };
}

/** One line of JSON for each question, so that one process on the host asks them all. */
const kernelScript = `
  for name in "$@"; do
    inside="nsenter --net=/run/netns/$name"
    echo "$($inside ip -j -d link 2>/dev/null)"
    echo "$($inside bridge -j fdb show 2>/dev/null)"
    echo "$($inside ip -j neighbor show nud permanent 2>/dev/null)"
    echo "$($inside nft -j list tables 2>/dev/null)"
  done
  echo "$(ip -j link)"
  echo "$(nft -j list set inet weft vtep4 2>/dev/null)"
`;
const QUESTIONS = 4;

interface ShownLink {
  readonly ifname: string;
  readonly flags: readonly string[];
  readonly master?: string;
  readonly linkinfo?: { readonly info_data?: { readonly id?: number } };
}

async function readKernel(host: Host): Promise<KernelFacts> {
  const namespaces = await namespacesOf(host);
  const text = await host.execOk(['sh', '-c', kernelScript, 'sh', ...namespaces]);
  const lines = text.split('\n');
  const shown = <T>(line: number): T[] => JSON.parse(lines[line]?.trim() || '[]') as T[];
  const own = namespaces.length * QUESTIONS;
  return {
    networks: namespaces.map((name, i) => {
      const at = i * QUESTIONS;
      return {
        id: name.slice('weft-'.length),
        links: shown<ShownLink>(at).map(({ ifname, flags, master, linkinfo }) => ({
          name: ifname,
          isUp: flags.includes('UP'),
          ...(linkinfo?.info_data?.id === undefined ? {} : { vni: linkinfo.info_data.id }),
          ...(master === undefined ? {} : { master }),
        })),
        rows: shown<{ mac: string; dst?: string }>(at + 1).flatMap(({ mac, dst }) =>
          dst === undefined ? [] : [`${mac} ${dst}`],
        ),
        forwarding: shown<{ mac: string; ifname: string; state?: string; master?: string }>(at + 1)
          .filter(({ master, state }) => master === 'br0' && state === 'static')
          .map(({ mac, ifname }) => `${mac} ${ifname}`),
        neighbors: shown<{ dst: string; lladdr?: string }>(at + 2).map(
          ({ dst, lladdr }) => `${dst} ${lladdr}`,
        ),
        hasSenderFilter: /"family": ?"bridge", ?"name": ?"weft"/.test(lines[at + 3] ?? ''),
      };
    }),
    strayLinks: shown<ShownLink>(own)
      .map(({ ifname }) => ifname)
      .filter((name) => /^weft[0-9a-f]{11}$/.test(name)),
    guardVteps: [...(lines[own + 1] ?? '').matchAll(/"(\d+\.\d+\.\d+\.\d+)"/g)].map(
      ([, address]) => address!,
    ),
  };
}

async function readDaemon(host: Host): Promise<DaemonFacts> {
  const pid = await host.daemon.pid();
  if (pid === undefined)
    return { pid, descriptors: 0, residentBytes: 0, degraded: ['not running'] };
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const { degraded } = await ask<{ degraded: { code: string; text: string }[] }>(
    host,
    '/run/weft/control.sock',
    '/v1/status',
  );
  return {
    pid,
    descriptors: (await readdir(`/proc/${pid}/fd`)).length,
    residentBytes: Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1024,
    degraded: degraded.map(({ code, text }) => `${code}: ${text}`),
  };
}
