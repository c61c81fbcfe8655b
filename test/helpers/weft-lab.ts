/** What end-to-end tests do on the lab, in a user's words. */
import {
  type Host,
  type Lab,
  type RunResult,
  hasNetwork,
  imageName,
  waitFor,
} from '../../lab/index.js';

/** The daemons run; call it first in a file's tests that need them. */
export async function startDaemons(lab: Lab): Promise<void> {
  for (const { daemon } of lab.hosts) if ((await daemon.pid()) === undefined) await daemon.start();
}

/** The arguments that make a network `name` of the whole cluster. */
export function createArgs(name: string, ...more: readonly string[]): string[] {
  const driver = [
    '--driver',
    'weft',
    '--ipam-driver',
    'weft',
    '--ipam-opt',
    `weft.network=${name}`,
  ];
  return ['network', 'create', ...driver, ...more, name];
}

/** Makes a network on the first of these hosts, and waits until the others have it. */
export async function createNetwork(
  hosts: readonly Host[],
  name: string,
  ...more: readonly string[]
): Promise<void> {
  const [first, ...others] = hosts;
  await first!.docker(...createArgs(name, ...more));
  for (const host of others) await hasNetwork(host, name);
}

/** Starts a container that does nothing; `more` are flags of `docker run`. */
export async function runIdle(host: Host, name: string, ...more: readonly string[]): Promise<void> {
  await host.docker('run', '--detach', '--name', name, ...more, imageName, 'sleep', '3600');
}

export interface Attachment {
  readonly address: string;
  readonly addressV6: string;
  readonly mac: string;
}

export async function attachment(
  host: Host,
  container: string,
  network: string,
): Promise<Attachment> {
  const { IPAddress, GlobalIPv6Address, MacAddress } = JSON.parse(
    await host.docker(
      'inspect',
      '-f',
      `{{json (index .NetworkSettings.Networks "${network}")}}`,
      container,
    ),
  ) as { IPAddress: string; GlobalIPv6Address: string; MacAddress: string };
  return { address: IPAddress, addressV6: GlobalIPv6Address, mac: MacAddress };
}

export async function addressOf(host: Host, container: string, network: string): Promise<string> {
  return (await attachment(host, container, network)).address;
}

/** A container's main process, as the host's own tools see it. */
export async function pidOf(host: Host, container: string): Promise<string> {
  return host.docker('inspect', '-f', '{{.State.Pid}}', container);
}

/** Runs a program of the host in a container's network, without the cost of `docker exec`. */
export async function inNetworkOf(
  host: Host,
  pid: string,
  argv: readonly string[],
): Promise<RunResult> {
  return host.exec(['nsenter', '--net', '--target', pid, '--', ...argv]);
}

/** One echo request with this many octets, answered within a second. */
export async function pings(
  host: Host,
  container: string,
  address: string,
  ...more: readonly string[]
): Promise<boolean> {
  const argv = ['ping', '-c', '1', '-W', '1', ...more, address];
  return (await host.exec(['docker', 'exec', container, ...argv])).code === 0;
}

/** Fetches a page from inside a container; undefined when nothing answers in three seconds. */
export async function fetches(
  host: Host,
  container: string,
  url: string,
): Promise<string | undefined> {
  // BusyBox's wget crashes when told a timeout.
  const argv = ['docker', 'exec', container, 'timeout', '3', 'wget', '-q', '-O', '-', url];
  const reply = await host.exec(argv);
  return reply.code === 0 ? reply.stdout : undefined;
}

/** A web server that answers with its container's name; it listens when this resolves. */
export async function runWeb(host: Host, name: string, ...more: readonly string[]): Promise<void> {
  const script = `mkdir /www; echo ${name} > /www/index.html; exec httpd -f -p 80 -h /www`;
  await host.docker('run', '--detach', '--name', name, ...more, imageName, 'sh', '-c', script);
  await waitFor(`${name} to listen`, async () => fetches(host, name, 'http://127.0.0.1/'));
}

/** Fetches a page from a host itself; it must answer within five seconds. */
export async function fetchOn(host: Host, url: string): Promise<string> {
  return host.execOk(['busybox', 'timeout', '5', 'busybox', 'wget', '-q', '-O', '-', url]);
}

export interface ListedEndpoint {
  readonly id: string;
  readonly network: string;
  readonly host: string;
  readonly addresses: readonly string[];
  readonly local: boolean;
}

export async function listed<T>(host: Host, ...args: readonly string[]): Promise<T[]> {
  return JSON.parse(await host.weft(...args, 'ls', '--json')) as T[];
}

/** weft's namespaces on a host. */
export async function namespaces(host: Host): Promise<string[]> {
  const text = await host.execOk(['sh', '-c', 'ls /run/netns 2>/dev/null || true']);
  return text.split('\n').filter((name) => name.startsWith('weft-'));
}

/** Waits until nothing of weft's networks is left on any host: namespaces, links, keys. */
export async function nothingLeft(lab: Lab): Promise<void> {
  for (const host of lab.hosts) {
    await waitFor(`no weft network on ${host.name}`, async () => {
      const links = await host.execOk(['ip', '-brief', 'link']);
      return (await namespaces(host)).length === 0 && !/^weft/m.test(links);
    });
  }
  if (lab.store === 'consul') {
    await waitFor(
      'no key of a network in Consul',
      async () => (await networkKeys(lab)).length === 0,
    );
  }
}

/** Keys in Consul that belong to networks, not to hosts. */
export async function networkKeys(lab: Lab): Promise<string[]> {
  const [consul] = lab.consul;
  const reply = await fetch(`${consul!.url}/v1/kv/weft/v1/?keys`);
  if (reply.status === 404) return [];
  const keys = (await reply.json()) as string[];
  return keys.filter((key) =>
    /\/(networks|names|vnis|endpoints|pools|pool-hosts|blocks)\//.test(key),
  );
}

/**
 * Milliseconds that `work` takes, which it measures itself: of three times at most the quickest, and no more than needed to be within
 * `promisedMs`. What is promised is weft's; the one late time of three is the machine's.
 */
export async function quickest(promisedMs: number, work: () => Promise<number>): Promise<number> {
  let best = Infinity;
  for (let n = 0; n < 3 && best >= promisedMs; n += 1) best = Math.min(best, await work());
  return best;
}
