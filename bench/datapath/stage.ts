import { type Host, type Lab, hasNetwork, imageName, waitFor } from '../../lab/index.js';
import type { Path, Place } from './place.js';

/** What VXLAN takes of the underlay's MTU, octets: Ethernet, IPv4, UDP, VXLAN headers. */
const OVERHEAD = 50;

const network = 'bench';
export const overlay = 'bench-overlay';

/**
 * A lab whose first two hosts are a swarm and know nothing of weft, and whose other two know nothing of a swarm: rules that
 * one of the two puts on its host would be paid for by the other's packets too.
 */
export async function makePaths(lab: Lab, mtu: number): Promise<Path[]> {
  const [manager, worker, one, two] = [lab.host(0), lab.host(1), lab.host(2), lab.host(3)];
  await Promise.all([one.daemon.start(), two.daemon.start(), joinSwarm(manager, worker)]);
  await manager.docker(...overlayArgs(mtu));
  await one.docker(...weftArgs());
  await hasNetwork(two, network);
  return [
    { subject: 'bare', client: bare(manager), server: bare(worker) },
    await containers('docker-overlay', overlay, manager, worker),
    await containers('weft', network, one, two),
  ];
}

/** What a lab must be for `makePaths`. */
export const labShape = { hosts: 4, store: 'consul', startWeft: false } as const;

function weftArgs(): string[] {
  const drivers = ['--driver', 'weft', '--ipam-driver', 'weft'];
  return ['network', 'create', ...drivers, '--ipv6', network];
}

export function overlayArgs(mtu: number): string[] {
  const driver = ['--driver', 'overlay', '--attachable', '--subnet', '10.44.0.0/24'];
  // Docker does not look at the underlay.
  const options = ['--opt', `com.docker.network.driver.mtu=${mtu - OVERHEAD}`];
  return ['network', 'create', ...driver, ...options, overlay];
}

export async function joinSwarm(manager: Host, worker: Host): Promise<void> {
  await manager.docker('swarm', 'init', '--advertise-addr', manager.address);
  const token = await manager.docker('swarm', 'join-token', '--quiet', 'worker');
  await worker.docker('swarm', 'join', '--token', token, `${manager.address}:2377`);
}

/** The host itself, as a container with `--network host` has it. */
function bare({ state }: Host): Place {
  return { pid: state.pid, addresses: { 4: state.address, 6: state.address6 } };
}

export async function containers(subject: string, on: string, one: Host, two: Host): Promise<Path> {
  const client = await start(one, on);
  const server = await start(two, on);
  const address = server.addresses[4] ?? '';
  // Swarm tells its hosts of containers by gossip.
  await waitFor(
    `${subject} to connect`,
    async () => {
      const ping = ['ping', '-c', '1', '-W', '1', address];
      return (await one.exec(['docker', 'exec', on, ...ping])).code === 0;
    },
    { timeoutMs: 30_000 },
  );
  return { subject, client, server };
}

async function start(host: Host, on: string): Promise<Place> {
  await host.docker('run', '--detach', '--name', on, '--network', on, imageName, 'sleep', '86400');
  const inspected = await host.docker('inspect', '--format', '{{json .}}', on);
  const { State, NetworkSettings } = JSON.parse(inspected) as {
    readonly State: { readonly Pid: number };
    readonly NetworkSettings: {
      readonly Networks: Readonly<Record<string, { IPAddress: string; GlobalIPv6Address: string }>>;
    };
  };
  const { IPAddress, GlobalIPv6Address } = NetworkSettings.Networks[on]!;
  return {
    pid: State.Pid,
    addresses: { 4: IPAddress, ...(GlobalIPv6Address === '' ? {} : { 6: GlobalIPv6Address }) },
  };
}
