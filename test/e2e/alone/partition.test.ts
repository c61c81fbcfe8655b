/**
 * A cluster that falls in two while its hosts create networks, each host beside a Consul server of its own: what is there after the
 * parts meet again has each name, VNI and address once, and everybody was told how their command ended.
 */
import test, { type ExecutionContext } from 'ava';
import { type Host, Lab, type Machine, type RunResult, waitFor } from '../../../lab/index.js';
import { parsePrefix, prefixesOverlap } from '../../../src/net/index.js';
import { allAgree, storeAnswers } from '../../helpers/outage.js';
import { listed, nothingLeft } from '../../helpers/weft-lab.js';

const SETTLE_MS = 120_000;
const CREATES = 2;

const lab = await Lab.create({
  hosts: 3,
  engine: '28.5',
  store: 'consul',
  consulServers: 3,
  startWeft: false,
});
test.after.always(async () => lab.close());

/** What somebody typed on a host, and how it ended. */
interface Created extends RunResult {
  readonly host: Host;
  readonly name: string;
}

interface ListedNetwork {
  readonly id: string;
  readonly name?: string;
  readonly vni: number;
  readonly pools: readonly string[];
}

async function create(host: Host, name: string, ...more: readonly string[]): Promise<Created> {
  const drivers = ['--driver', 'weft', '--ipam-driver', 'weft'];
  const result = await host.tryDocker('network', 'create', ...drivers, ...more, name);
  return { ...result, host, name };
}

/** The n-th host and its server on one side, all others on the other: not a packet passes between them. */
class Cut implements AsyncDisposable {
  readonly #inside: readonly Machine[];
  readonly #outside: readonly Machine[];

  constructor(n: number) {
    this.#inside = [lab.host(n), lab.consul[n]!];
    this.#outside = lab.machines.filter((machine) => !this.#inside.includes(machine));
  }

  async begin(): Promise<void> {
    await this.#rules('-I');
  }

  async end(): Promise<void> {
    await this.#rules('-D');
    for (const server of lab.consul) await server.rejoin();
    await storeAnswers(lab);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rules('-D').catch(() => undefined);
  }

  async #rules(verb: '-I' | '-D'): Promise<void> {
    for (const machine of this.#inside) {
      for (const { address } of this.#outside) {
        await machine.execOk(['iptables', '-w', verb, 'INPUT', '-s', address, '-j', 'DROP']);
        await machine.execOk(['iptables', '-w', verb, 'OUTPUT', '-d', address, '-j', 'DROP']);
      }
    }
  }
}

async function networksOf(host: Host): Promise<ListedNetwork[]> {
  return listed<ListedNetwork>(host, 'network');
}

/** Every host tells of the same networks, has all of them in Docker, and no two share anything. */
async function oneCluster(t: ExecutionContext): Promise<readonly ListedNetwork[]> {
  const inWeft = async (host: Host): Promise<string> =>
    JSON.stringify(
      (await networksOf(host))
        .map(({ id, name, vni, pools }) => JSON.stringify([name ?? id, id, vni, pools]))
        .toSorted(),
    );
  const inDocker = async (host: Host): Promise<string> => {
    const all = ['network', 'ls', '--filter', 'driver=weft', '--format', '{{.Name}}'];
    return (await host.docker(...all)).split('\n').filter(Boolean).toSorted().join(' ');
  };
  await waitFor(
    'every host to have the same networks',
    async () => {
      const names = (await networksOf(lab.host(0))).map(({ id, name }) => name ?? id);
      const expected = [await inWeft(lab.host(0)), names.toSorted().join(' ')].join('\n');
      const found = await Promise.all(
        lab.hosts.map(async (host) => [await inWeft(host), await inDocker(host)].join('\n')),
      );
      return found.every((each) => each === expected);
    },
    { timeoutMs: SETTLE_MS, intervalMs: 200 },
  );
  await allAgree(lab, SETTLE_MS);
  const networks = await networksOf(lab.host(0));
  const names = networks.map(({ name }) => name);
  t.is(new Set(names).size, networks.length, `a name twice: ${names.join(' ')}`);
  t.is(new Set(networks.map(({ vni }) => vni)).size, networks.length, 'a VNI twice');
  const pools = networks.flatMap((network) => network.pools.map(parsePrefix));
  for (const [i, pool] of pools.entries()) {
    for (const other of pools.slice(i + 1)) {
      t.false(prefixesOverlap(pool, other), `${pool} overlaps ${other}`);
    }
  }
  return networks;
}

/** A refusal has words; what was made is there, or its user was told what took its place. */
async function everybodyWasTold(t: ExecutionContext, all: readonly Created[]): Promise<void> {
  for (const { host, name, code, stdout, stderr } of all) {
    if (code !== 0) {
      t.regex(stderr, /\b[A-Z][A-Z_]{5,}: .|already exists/, `${name} on ${host.name}`);
      continue;
    }
    const dockerId = stdout.trim();
    const isThere = (await host.tryDocker('network', 'inspect', dockerId)).code === 0;
    const events = isThere ? '' : await host.weft('events');
    t.true(
      isThere || events.includes(`network "${name}" was made here and on`),
      `${name} on ${host.name}\n${events}`,
    );
  }
}

async function removeAll(): Promise<void> {
  for (const { id } of await networksOf(lab.host(1))) {
    await lab.host(1).weft('network', 'rm', id);
  }
  await nothingLeft(lab);
}

/** Which of the servers leads. */
async function leader(): Promise<number> {
  return waitFor('a leader', async () => {
    const address = await lab.consul[0]!.leader();
    const found = lab.consul.findIndex((server) => address.startsWith(`${server.address}:`));
    return found < 0 ? undefined : { found };
  }).then(({ found }) => found);
}

test.before(async (t) => {
  t.timeout(300_000);
  for (const [i, host] of lab.hosts.entries()) {
    await host.configureWeft({ store: { kind: 'consul', address: lab.consul[i]!.url } });
    await host.daemon.start();
  }
});

test.serial(
  "W1: while hosts create, the store's leader is cut off with one of them, and no name, VNI or address is given twice",
  async (t) => {
    t.timeout(400_000);
    await using cut = new Cut(await leader());
    let seen = (): void => undefined;
    const begun = new Promise<void>((resolve) => {
      seen = resolve;
    });
    const creating = lab.hosts.map(async (host) => {
      const done: Created[] = [];
      for (let n = 0; n < CREATES; n += 1) {
        done.push(await create(host, `race-${n}`));
        seen();
        done.push(await create(host, `own-${n}-${host.name}`));
      }
      return done;
    });
    await begun;
    await cut.begin();
    const created = (await Promise.all(creating)).flat();
    await cut.end();
    const networks = await oneCluster(t);
    await everybodyWasTold(t, created);
    const made = created.filter(({ code }) => code === 0).length;
    t.log(`${made} of ${created.length} made, ${networks.length} networks in the end`);
    await removeAll();
  },
);
