/** Docker Compose with a network of weft's in the file: on one host, and the same file on several. */
import test from 'ava';
import { type Host, hasNetwork, lacksNetwork, waitFor } from '../../lab/index.js';
import { leaveClean, onHosts, sharedLab } from '../helpers/lab.js';
import { nothingLeft, startDaemons } from '../helpers/weft-lab.js';

const lab = await sharedLab();
const three = onHosts(lab, 3);
const [h1, h2, h3] = lab.hosts as [Host, Host, Host];

test.before(async () => startDaemons(lab));
test.afterEach.always(async (t) => leaveClean(lab, t));
test.after.always(async () => nothingLeft(lab));

const services = `services:
  api:
    image: busybox
    command: sleep infinity
    init: true
    networks: { back: { aliases: [backend] } }
  web:
    image: busybox
    command: sleep infinity
    init: true
    networks: [back]
`;
const plain = `${services}networks:
  back: { driver: weft, ipam: { driver: weft } }
`;
const withSettings = `${services}networks:
  back:
    driver: weft
    labels: { tier: back }
    driver_opts: { com.docker.network.driver.mtu: '1400' }
    ipam: { driver: weft, config: [{ subnet: 10.87.0.0/24 }] }
`;
const external = `${services}networks:
  back: { name: shop_back, external: true }
`;

/** Runs `docker compose` on a host with this file; it must succeed. */
async function compose(host: Host, file: string, ...args: readonly string[]): Promise<string> {
  await host.writeFile('/srv/shop/compose.yaml', file);
  return host.execOk(['docker', 'compose', '-f', '/srv/shop/compose.yaml', ...args], {
    timeoutMs: 120_000,
  });
}

/** The addresses that a container of the project gets for a name. */
async function resolve(host: Host, name: string): Promise<string[]> {
  const { stdout } = await host.exec(['docker', 'exec', 'shop-web-1', 'getent', 'ahostsv4', name]);
  return [
    ...new Set(
      stdout
        .trim()
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split(' ')[0]!),
    ),
  ];
}

async function resolvesTo(host: Host, name: string, count: number): Promise<string[]> {
  return waitFor(`${name} has ${count} addresses on ${host.name}`, async () => {
    const addresses = await resolve(host, name);
    return addresses.length === count ? addresses : undefined;
  });
}

for (const [what, file] of [
  ['a plain network', plain],
  ['settings and a subnet', withSettings],
] as const) {
  test.serial(`compose > a file with ${what} works on one host, up and down and up`, async (t) => {
    const host = lab.host(0);
    for (const round of [1, 2]) {
      await compose(host, file, 'up', '-d');
      const [address] = await resolvesTo(host, 'backend', 1);
      await host.inContainer('shop-web-1', ['ping', '-c', '1', '-w', '5', address!]);
      t.deepEqual(await resolve(host, 'api'), [address], `round ${round}`);
      await compose(host, file, 'down', '-t', '0');
      await lacksNetwork(host, 'shop_back');
    }
  });

  three(`compose > the same file with ${what} works on several hosts`, async (t) => {
    for (const host of lab.hosts) await compose(host, file, 'up', '-d');
    for (const host of lab.hosts) {
      const networks = await host.docker('network', 'ls', '--quiet', '--filter', 'driver=weft');
      t.is(networks.split('\n').length, 1, `one network on ${host.name}`);
      for (const address of await resolvesTo(host, 'api', 3)) {
        await host.inContainer('shop-web-1', ['ping', '-c', '1', '-w', '5', address]);
      }
    }
    // Others use it: it goes from this host, and comes back to it when it is asked for.
    await compose(h1, file, 'down', '-t', '0');
    await lacksNetwork(h1, 'shop_back');
    await resolvesTo(h2, 'api', 2);
    await compose(h1, file, 'up', '-d');
    for (const host of lab.hosts) {
      for (const address of await resolvesTo(host, 'api', 3)) {
        await host.inContainer('shop-web-1', ['ping', '-c', '1', '-w', '5', address]);
      }
    }
    for (const host of lab.hosts) await compose(host, file, 'down', '-t', '0');
    for (const host of lab.hosts) await lacksNetwork(host, 'shop_back');
  });
}

three(
  'compose > a network that only looks like the one removed here is one of its own',
  async (t) => {
    await compose(h2, plain, 'up', '-d');
    await hasNetwork(h1, 'shop_back');
    await h1.docker('network', 'rm', 'shop_back');
    const create = ['network', 'create', '-d', 'weft', '--ipam-driver', 'weft'];
    await h1.docker(...create, 'other');
    await hasNetwork(h3, 'other');
    const subnetOf = async (host: Host, name: string): Promise<string> =>
      host.docker('network', 'inspect', '-f', '{{(index .IPAM.Config 0).Subnet}}', name);
    t.not(await subnetOf(h1, 'other'), await subnetOf(h2, 'shop_back'));
    t.is(await subnetOf(h1, 'other'), await subnetOf(h3, 'other'));
    await lacksNetwork(h1, 'shop_back');
    t.regex(await h1.weft('events'), /"other".*subnet of its own \(NETWORK_SEPARATED\)/);
    await compose(h2, plain, 'down', '-t', '0');
  },
);

three('compose > a network made on one host is external in a file on another', async (t) => {
  await h1.docker('network', 'create', '-d', 'weft', '--ipam-driver', 'weft', 'shop_back');
  await hasNetwork(h3, 'shop_back');
  await compose(h3, external, 'up', '-d');
  await h2.docker(
    'run',
    '-d',
    '--name',
    'asker',
    '--network',
    'shop_back',
    'busybox',
    'sleep',
    '3600',
  );
  t.regex(
    await h2.inContainer('asker', ['ping', '-c', '1', '-w', '5', 'api']),
    /1 packets received/,
  );
  await compose(h3, external, 'down', '-t', '0');
  await hasNetwork(h3, 'shop_back');
});
