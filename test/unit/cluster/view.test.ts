import test, { type ExecutionContext } from 'ava';
import {
  ClusterView,
  type HostDocument,
  type NetworkDocument,
  Networks,
  type RemoteState,
} from '../../../src/cluster/index.js';
import { parseAddressWithLength, parseMac } from '../../../src/net/index.js';
import { EmbeddedStore, type Store } from '../../../src/store/index.js';
import { hostDocument, until } from '../../helpers/cluster.js';

const [ME, B, C] = [
  hostDocument('me', '192.0.2.1'),
  hostDocument('b', '192.0.2.2'),
  hostDocument('c', '192.0.2.3'),
];
const patient = { signal: new AbortController().signal };

function endpoint(number: number) {
  const hex = number.toString(16).padStart(4, '0');
  return {
    id: `e${number}`,
    mac: parseMac(`02:42:0a:01:${hex.slice(0, 2)}:${hex.slice(2)}`),
    addresses: [parseAddressWithLength(`10.1.${number >> 8}.${number & 255}/16`)],
  };
}

/** A view of host "me", and all that it told. */
class Viewed implements AsyncDisposable {
  readonly view: ClusterView;
  readonly hosts: string[] = [];
  readonly remotes: string[] = [];
  readonly damage: string[] = [];

  constructor(store: Store) {
    this.view = new ClusterView(store, ME.id, {
      onHosts: (hosts) =>
        void this.hosts.push(
          hosts
            .map(({ name }) => name)
            .toSorted()
            .join(' '),
        ),
      onRemote: (_, state) => void this.remotes.push(shown(state)),
      onReachable: () => undefined,
      onDamage: (key) => void this.damage.push(key),
    });
  }

  /** Waits until the latest report is this one; answers all since the last call. */
  async reports(t: ExecutionContext, text: string): Promise<string[]> {
    await until(t, text, () => this.remotes.at(-1) === text);
    return this.remotes.splice(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.view[Symbol.asyncDispose]();
  }
}

/** "eMAC@VTEP …; VTEP …", ordered, by their last digits. */
function shown({ endpoints, vteps }: RemoteState): string {
  const ids = endpoints.map(({ mac, vtep }) => `e${mac.at(-1)}@${vtep.split('.')[3]}`).toSorted();
  const numbers = vteps.map((vtep) => vtep.slice(vtep.lastIndexOf('.') + 1)).toSorted();
  return `${ids.join(' ')}; ${numbers.join(' ')}`;
}

async function announce(store: Store, ...hosts: readonly HostDocument[]): Promise<void> {
  for (const host of hosts) await write(store, `hosts/${host.id}`, host);
}

async function write(store: Store, key: string, document: object): Promise<void> {
  const value = JSON.stringify({ v: 1, ...document });
  await store.transact([{ op: 'set', key, value }]);
}

async function remove(store: Store, key: string): Promise<void> {
  await store.transact([{ op: 'delete', key }]);
}

/** A store with three live hosts and a network that b and c have, with two endpoints on b. */
async function cluster() {
  const store = EmbeddedStore.memory();
  await announce(store, ME, B, C);
  const [b, c] = [new Networks(store, B.id), new Networks(store, C.id)];
  const network = await b.create({ internal: false, pools: [] });
  await b.publish(network, [endpoint(1), endpoint(2)], patient);
  await c.join(network.id, patient);
  return { store, b, c, network };
}

test('view > tells who is live, which networks there are, and what others have on a followed one', async (t) => {
  const { store, network } = await cluster();
  await using viewed = new Viewed(store);
  await viewed.view.start();
  t.deepEqual(viewed.hosts, ['b c me']);
  t.deepEqual(viewed.view.networks(), [network]);
  t.deepEqual(viewed.remotes, []);
  await viewed.view.follow(network.id);
  t.deepEqual(viewed.remotes, ['e1@2 e2@2; 2 3']);
  t.is(viewed.view.endpoints(network.id)?.length, 2);
});

test('view > follows what others change, start and stop', async (t) => {
  const { store, b, c, network } = await cluster();
  await using viewed = new Viewed(store);
  await viewed.view.start();
  await viewed.view.follow(network.id);
  await viewed.reports(t, 'e1@2 e2@2; 2 3');
  await c.publish(network, [endpoint(3)], patient);
  t.is((await viewed.reports(t, 'e1@2 e2@2 e3@3; 2 3')).length, 1);
  await b.leave(network.id, patient);
  t.is((await viewed.reports(t, 'e3@3; 3')).length, 1);
});

test('view > hides what belongs to a host that is gone, and shows it when that is back', async (t) => {
  const { store, network } = await cluster();
  await using viewed = new Viewed(store);
  await viewed.view.start();
  await viewed.view.follow(network.id);
  await remove(store, `hosts/${B.id}`);
  await viewed.reports(t, '; 3');
  t.is(viewed.view.endpoints(network.id)?.length, 2);
  await announce(store, B);
  await viewed.reports(t, 'e1@2 e2@2; 2 3');
});

test('view > holds the others when the store has lost this host too', async (t) => {
  const { store, network } = await cluster();
  await using viewed = new Viewed(store);
  await viewed.view.start();
  await viewed.view.follow(network.id);
  const lost = [ME, B, C].map(({ id }) => ({ op: 'delete' as const, key: `hosts/${id}` }));
  await store.transact(lost);
  await announce(store, ME);
  await until(t, 'this host is back', () => viewed.hosts.at(-1) === 'b c me');
  await announce(store, C, hostDocument('d', '192.0.2.4'));
  await until(t, 'the others are back', () => viewed.hosts.at(-1) === 'b c d me');
  t.deepEqual(viewed.remotes, ['e1@2 e2@2; 2 3']);
});

test('view > follows a host to another underlay address', async (t) => {
  const { store, network } = await cluster();
  await using viewed = new Viewed(store);
  await viewed.view.start();
  await viewed.view.follow(network.id);
  await announce(store, hostDocument('b', '192.0.2.22'));
  await viewed.reports(t, 'e1@22 e2@22; 22 3');
});

test('view > reports nothing of a network before the live hosts are known', async (t) => {
  const { store, network } = await cluster();
  await using viewed = new Viewed(store);
  const followed = viewed.view.follow(network.id);
  await until(t, 'endpoints known', () => viewed.view.endpoints(network.id)?.length === 2);
  t.deepEqual(viewed.remotes, []);
  await viewed.view.start();
  await followed;
  t.deepEqual(viewed.remotes, ['e1@2 e2@2; 2 3']);
});

test('view > is loaded only with what is followed by then', async (t) => {
  const { store, network } = await cluster();
  await using viewed = new Viewed(store);
  void viewed.view.follow(network.id);
  await viewed.view.start();
  t.deepEqual(viewed.remotes, ['e1@2 e2@2; 2 3']);
});

test('view > reports a network on which there is nobody else, once', async (t) => {
  const store = EmbeddedStore.memory();
  await announce(store, ME);
  const me = new Networks(store, ME.id);
  const network = await me.create({ internal: false, pools: [] });
  await using viewed = new Viewed(store);
  await viewed.view.start();
  await viewed.view.follow(network.id);
  t.deepEqual(viewed.remotes, ['; ']);
});

test('view > calls back for differences only', async (t) => {
  const { store, network } = await cluster();
  const me = new Networks(store, ME.id);
  await me.join(network.id, patient);
  await using viewed = new Viewed(store);
  await viewed.view.start();
  await viewed.view.follow(network.id);
  viewed.remotes.length = 0;
  viewed.hosts.length = 0;
  // Our own endpoints, a host that has not the network, a host and a document written again as they were.
  await me.publish(network, [endpoint(9)], patient);
  await announce(store, hostDocument('d', '192.0.2.4'));
  const entry = await store.get(`endpoints/${network.id}/${B.id}`);
  await remove(store, entry!.key);
  await store.transact([{ op: 'set', key: entry!.key, value: entry!.value }]);
  await remove(store, `hosts/${B.id}`);
  await announce(store, B);
  // What comes last is seen last.
  await announce(store, hostDocument('e', '192.0.2.5'));
  await until(t, 'host e', () => viewed.hosts.at(-1) === 'b c d e me');
  t.true(
    viewed.remotes.every((text, i) => text !== viewed.remotes[i - 1]),
    viewed.remotes.join(),
  );
  t.deepEqual(
    viewed.remotes.filter((text) => text.includes('e9')),
    [],
  );
});

const BAD: readonly [string, string, (network: NetworkDocument) => string][] = [
  ['no JSON', '{', ({ id }) => `endpoints/${id}/${C.id}`],
  ['no document', '[]', ({ id }) => `endpoints/${id}/${C.id}`],
  ['another version', '{"v":2}', ({ id }) => `endpoints/${id}/${C.id}`],
  [
    'a group address as MAC',
    '{"v":1,"network":"NETWORK","host":"host-c","endpoints":[{"id":"e","mac":"01:00:5e:00:00:01","addresses":[]}]}',
    ({ id }) => `endpoints/${id}/${C.id}`,
  ],
  [
    "another host's name in it",
    '{"v":1,"network":"NETWORK","host":"host-b","endpoints":[]}',
    ({ id }) => `endpoints/${id}/${C.id}`,
  ],
  ["another host's id in it", JSON.stringify({ v: 1, ...B }), () => `hosts/${C.id}`],
  ['a VTEP that is none', JSON.stringify({ v: 1, ...C, vtep: 'x' }), () => `hosts/${C.id}`],
];
for (const [title, text, keyOf] of BAD) {
  test(`view > leaves out and reports a document with ${title}`, async (t) => {
    const { store, c, network } = await cluster();
    await c.publish(network, [endpoint(3)], patient);
    const key = keyOf(network);
    const value = text.replace('NETWORK', network.id);
    await store.transact([{ op: 'set', key, value }]);
    await using viewed = new Viewed(store);
    await viewed.view.start();
    await viewed.view.follow(network.id);
    t.deepEqual(viewed.damage, [key]);
    t.deepEqual(viewed.remotes, ['e1@2 e2@2; 2']);
    await announce(store, C);
    await c.publish(network, [endpoint(4)], patient);
    await viewed.reports(t, 'e1@2 e2@2 e4@3; 2 3');
  });
}

test('view > a network that is unfollowed is not reported, and may be followed again', async (t) => {
  const { store, b, network } = await cluster();
  await using viewed = new Viewed(store);
  await viewed.view.start();
  await viewed.view.follow(network.id);
  await viewed.view.unfollow(network.id);
  await viewed.view.unfollow(network.id);
  viewed.remotes.length = 0;
  await b.publish(network, [], patient);
  await viewed.view.follow(network.id);
  t.deepEqual(viewed.remotes, ['; 2 3']);
});

test('view > closing it ends all waits, and does not pass for having loaded', async (t) => {
  const { store, network } = await cluster();
  const viewed = new Viewed(store);
  const followed = viewed.view.follow(network.id);
  await viewed[Symbol.asyncDispose]();
  await followed;
  await t.throwsAsync(viewed.view.start(), { message: /closed/ });
  t.deepEqual(viewed.remotes, []);
});

test('view > takes a change among ten thousand endpoints without reading the others again', async (t) => {
  const { store, network } = await cluster();
  const writers = Array.from({ length: 20 }, (_, i) => {
    const host = hostDocument(`w${i}`, `192.0.2.${100 + i}`);
    return { host, networks: new Networks(store, host.id) };
  });
  const many = (first: number) => Array.from({ length: 500 }, (_, i) => endpoint(first + i));
  for (const [i, { host, networks }] of writers.entries()) {
    await announce(store, host);
    await networks.publish(network, many(1000 + i * 500), patient);
  }
  const states: RemoteState[] = [];
  await using view = new ClusterView(store, ME.id, {
    onHosts: () => undefined,
    onRemote: (_, state) => void states.push(state),
    onReachable: () => undefined,
    onDamage: () => undefined,
  });
  await view.start();
  await view.follow(network.id);
  const before = states.at(-1)!;
  t.is(before.endpoints.length, 10_002);
  await writers[7]!.networks.publish(network, [endpoint(7)], patient);
  await until(t, 'the change', () => states.length === 2);
  const after = new Set(states[1]!.endpoints);
  const kept = before.endpoints.filter((each) => after.has(each));
  t.is(kept.length, 9502, 'the same objects');
});
