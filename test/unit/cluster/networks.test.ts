import test from 'ava';
import type { NetworkDocument } from '../../../src/cluster/index.js';
import { BorrowedStore, EmbeddedStore, type Op, type Store } from '../../../src/store/index.js';
import { GatedStore } from '../../helpers/gated-store.js';
import { ENDPOINT, WEB, host, keysOf, patient } from '../../helpers/networks.js';

/** A clock on which every wait is long. */
function fastClock(): () => number {
  let now = 0;
  return () => (now += 10_000);
}

const isRemoval = (op: Op): boolean => op.op === 'delete' && op.key.startsWith('networks/');
const isMark = (op: Op): boolean => op.op === 'set' && op.value.includes('"closing"');
const isEndpoints = (op: Op): boolean => op.op === 'set' && op.key.startsWith('endpoints/');

/** A network of host a, which is held up before it removes it as the last to leave. */
async function closingNetwork(inner: Store) {
  const store = new GatedStore(inner);
  const a = host(store, 'a');
  const network = await a.create(WEB);
  const gate = store.hold(isRemoval);
  const left = a.leave(network.id, patient);
  await gate.arrived;
  const remove = async (): Promise<void> => {
    gate.open();
    await left;
  };
  return { network, remove };
}

test('networks > a new one belongs to its creator, under its id, its VNI and its name', async (t) => {
  const store = EmbeddedStore.memory();
  const network = await host(store, 'a').create(WEB);
  t.like(network, { ...WEB, createdBy: 'host-a' });
  t.true(network.vni >= 0x10_00_00 && network.vni <= 0xff_ff_ff);
  t.deepEqual(await keysOf(store), [
    `endpoints/${network.id}/host-a`,
    `heads/${network.id}/host-a`,
    'names/web',
    `networks/${network.id}`,
    `vnis/${network.vni}`,
  ]);
  t.deepEqual(await host(store, 'b').findByName('web'), network);
  t.deepEqual(await host(store, 'a').memberships(), [network.id]);
  t.deepEqual(await host(store, 'b').memberships(), []);
});

test('networks > a name is given once', async (t) => {
  const store = EmbeddedStore.memory();
  const { id } = await host(store, 'a').create(WEB);
  await t.throwsAsync(host(store, 'b').create(WEB), {
    code: 'NAME_TAKEN',
    message: 'there is a network "web" already',
  });
  const other = await host(store, 'b').create({ internal: true, pools: [] });
  t.false(await host(store, 'b').name(other.id, 'web'));
  t.true(await host(store, 'b').name(other.id, 'db'));
  t.true(await host(store, 'b').name(other.id, 'db'), 'twice');
  t.false(await host(store, 'b').name(other.id, 'else'), 'another one');
  t.is((await host(store, 'a').findByName('db'))?.id, other.id);
  t.is((await host(store, 'a').findByName('web'))?.id, id);
});

for (const name of ['', '.', '..', '../x', 'a/b', '-a', 'a b', 'ü', 'x'.repeat(129)]) {
  test(`networks > ${JSON.stringify(name.slice(0, 9))} is no name`, async (t) => {
    const networks = host(EmbeddedStore.memory(), 'a');
    const expected = { code: 'INVALID_NAME' };
    await t.throwsAsync(networks.create({ ...WEB, name }), expected);
    await t.throwsAsync(networks.findByName(name), expected);
    await t.throwsAsync(networks.name('0'.repeat(12), name), expected);
  });
}

test('networks > VNIs are given once, and a full range says so', async (t) => {
  const store = EmbeddedStore.memory();
  const networks = host(store, 'a', { vnis: { first: 2_000_000, last: 2_000_001 } });
  const unnamed = { internal: false, pools: [] };
  const first = await networks.create(unnamed);
  const second = await networks.create(unnamed);
  t.not(first.vni, second.vni);
  await t.throwsAsync(networks.create(unnamed), { code: 'NO_FREE_VNI' });
});

test('networks > the last to leave removes it, and nothing stays', async (t) => {
  const store = EmbeddedStore.memory();
  const [a, b] = [host(store, 'a'), host(store, 'b')];
  const { id } = await a.create(WEB);
  await b.join(id, patient);
  await a.leave(id, patient);
  await a.leave(id, patient);
  t.is((await b.get(id))?.closing, undefined);
  t.is((await keysOf(store)).length, 5);
  await b.leave(id, patient);
  t.deepEqual(await keysOf(store), []);
  await b.leave(id, patient);
});

test('networks > a document of endpoints has a head, which is another for another document and only then', async (t) => {
  const store = EmbeddedStore.memory();
  const a = host(store, 'a');
  const network = await a.create(WEB);
  const head = async () => store.get(`heads/${network.id}/host-a`);
  const empty = await head();
  await a.publish(network, [ENDPOINT], patient);
  const one = await head();
  t.not(one?.value, empty?.value);
  await a.publish(network, [ENDPOINT], patient);
  t.deepEqual(await head(), one);
  await a.publish(network, [], patient);
  t.is((await head())?.value, empty?.value);
});

test('networks > publishing again takes one call, and looks at the network when it has changed', async (t) => {
  const store = EmbeddedStore.memory();
  const calls: string[] = [];
  const counting = new (class extends BorrowedStore {
    override async get(key: string) {
      calls.push('get');
      return super.get(key);
    }
    override async transact(ops: readonly Op[]) {
      calls.push('transact');
      return super.transact(ops);
    }
  })(store);
  const a = host(counting, 'a');
  const network = await a.create(WEB);
  await a.publish(network, [], patient);
  calls.length = 0;
  await a.publish(network, [ENDPOINT], patient);
  t.deepEqual(calls.splice(0), ['transact']);
  const doomed = (await store.list('networks/')).map(({ key }) => ({ op: 'delete', key }) as const);
  await store.transact(doomed);
  await a.publish(network, [], patient);
  t.is(calls[1], 'get');
  t.deepEqual(await host(store, 'b').get(network.id), network);
});

test('networks > joining again leaves the endpoints as they are', async (t) => {
  const store = EmbeddedStore.memory();
  const a = host(store, 'a');
  const network = await a.create(WEB);
  await a.publish(network, [ENDPOINT], patient);
  const before = await store.get(`endpoints/${network.id}/host-a`);
  await a.join(network.id, patient);
  t.deepEqual(await store.get(`endpoints/${network.id}/host-a`), before);
  t.true(before?.value.includes('10.1.0.2/24'));
});

test('networks > one that is gone can not be joined or named', async (t) => {
  const networks = host(EmbeddedStore.memory(), 'a');
  const expected = { code: 'NETWORK_GONE' };
  await t.throwsAsync(networks.join('0123456789ab', patient), expected);
  await t.throwsAsync(networks.name('0123456789ab', 'web'), expected);
});

test('networks > a joiner waits for the one who closes it, and finds it gone', async (t) => {
  const store = EmbeddedStore.memory();
  const { network, remove } = await closingNetwork(store);
  const joined = t.throwsAsync(host(store, 'b').join(network.id, patient), {
    code: 'NETWORK_GONE',
  });
  await remove();
  await joined;
  t.deepEqual(await keysOf(store), []);
});

test('networks > a joiner gives up waiting when its call is over', async (t) => {
  const store = EmbeddedStore.memory();
  const { network } = await closingNetwork(store);
  const call = new AbortController();
  setTimeout(() => call.abort(new Error('the call is over')), 20);
  await t.throwsAsync(host(store, 'b').join(network.id, call), { message: 'the call is over' });
});

test('networks > a mark whose host died is taken over, and its host can do no harm when it was only slow', async (t) => {
  const store = EmbeddedStore.memory();
  const { network, remove } = await closingNetwork(store);
  await host(store, 'b', { uptime: fastClock() }).join(network.id, patient);
  await remove();
  t.is((await host(store, 'b').get(network.id))?.closing, undefined);
  t.is((await keysOf(store)).length, 5);
});

test('networks > a leaver takes over as well', async (t) => {
  const store = EmbeddedStore.memory();
  const { network } = await closingNetwork(store);
  await host(store, 'b', { uptime: fastClock() }).leave(network.id, patient);
  t.deepEqual(await keysOf(store), []);
});

test('networks > a host that died while it closed one may join it at once, whatever it had under way', async (t) => {
  const store = EmbeddedStore.memory();
  const { network, remove } = await closingNetwork(store);
  await host(store, 'a', { uptime: () => 0 }).join(network.id, patient);
  t.is((await keysOf(store)).length, 5);
  // The removal under way is refused; what left was the host's earlier life, which looks again and finds a member.
  await remove();
  t.is((await keysOf(store)).length, 5);
});

test('networks > one that is named while it is closed goes with its name', async (t) => {
  const inner = EmbeddedStore.memory();
  const store = new GatedStore(inner);
  const a = host(store, 'a');
  const { id } = await a.create({ internal: false, pools: [] });
  const gate = store.hold(isRemoval);
  const left = a.leave(id, patient);
  await gate.arrived;
  t.true(await host(inner, 'b').name(id, 'late'));
  gate.open();
  await left;
  t.deepEqual(await keysOf(inner), []);
});

test('networks > a leaver that finds a new member takes its mark off', async (t) => {
  const inner = EmbeddedStore.memory();
  const store = new GatedStore(inner);
  const a = host(store, 'a');
  const { id } = await a.create(WEB);
  const gate = store.hold(isMark);
  const left = a.leave(id, patient);
  await gate.arrived;
  await host(inner, 'b').join(id, patient);
  gate.open();
  await left;
  t.is((await a.get(id))?.closing, undefined);
  t.deepEqual(await host(inner, 'b').memberships(), [id]);
});

test('networks > a host that joins while the last one leaves finds it gone', async (t) => {
  const inner = EmbeddedStore.memory();
  const store = new GatedStore(inner);
  const [a, b] = [host(inner, 'a'), host(store, 'b')];
  const { id } = await a.create(WEB);
  const gate = store.hold(isEndpoints);
  const joined = t.throwsAsync(b.join(id, patient), { code: 'NETWORK_GONE' });
  await gate.arrived;
  await a.leave(id, patient);
  gate.open();
  await joined;
  t.deepEqual(await keysOf(inner), []);
});

test('networks > a host that publishes while the last one leaves has the network', async (t) => {
  const inner = EmbeddedStore.memory();
  const store = new GatedStore(inner);
  const [a, b] = [host(inner, 'a'), host(store, 'b')];
  const network = await a.create(WEB);
  const gate = store.hold(isEndpoints);
  const published = b.publish(network, [ENDPOINT], patient);
  await gate.arrived;
  await a.leave(network.id, patient);
  gate.open();
  await published;
  t.deepEqual(await a.findByName('web'), network);
  t.deepEqual(await b.memberships(), [network.id]);
});

test('networks > publishing puts back what the store has lost, whatever part of it', async (t) => {
  const store = EmbeddedStore.memory();
  const a = host(store, 'a');
  const network = await a.create(WEB);
  const all = await keysOf(store);
  for (let bits = 0; bits < 16; bits += 1) {
    const lost = [`networks/${network.id}`, ...all.filter((_, i) => bits & (1 << i))];
    await store.transact([...new Set(lost)].map((key) => ({ op: 'delete', key })));
    await a.publish(network, [ENDPOINT], patient);
    t.deepEqual(await keysOf(store), all, lost.join(' '));
    t.deepEqual(await a.findByName('web'), network, lost.join(' '));
  }
});

async function loseNetwork(store: Store, network: NetworkDocument): Promise<void> {
  await store.transact([
    { op: 'delete', key: `networks/${network.id}` },
    { op: 'delete', key: `vnis/${network.vni}` },
    { op: 'delete', key: `names/${network.name}` },
  ]);
}

test('networks > one that comes back finds its name given to another, and goes on without', async (t) => {
  const store = EmbeddedStore.memory();
  const [a, b] = [host(store, 'a'), host(store, 'b')];
  const lost = await a.create(WEB);
  await loseNetwork(store, lost);
  const other = await b.create(WEB);
  await a.publish(lost, [], patient);
  const { name: _, ...without } = lost;
  t.deepEqual(await a.get(lost.id), without);
  t.is((await a.findByName('web'))?.id, other.id);
});

test('networks > one that comes back finds its VNI given to another, and says what to do', async (t) => {
  const store = EmbeddedStore.memory();
  const vnis = { first: 2_000_000, last: 2_000_000 };
  const [a, b] = [host(store, 'a', { vnis }), host(store, 'b', { vnis })];
  const lost = await a.create(WEB);
  await loseNetwork(store, lost);
  const other = await b.create(WEB);
  await t.throwsAsync(a.publish(lost, [], patient), {
    code: 'VNI_TAKEN',
    message: new RegExp(`${lost.id}.*${other.id}.*create it again`),
  });
});

test('networks > its name and its VNI come back when the store has lost them', async (t) => {
  const store = EmbeddedStore.memory();
  const a = host(store, 'a');
  const network = await a.create(WEB);
  const before = await keysOf(store);
  for (const key of [`vnis/${network.vni}`, `names/${network.name}`]) {
    await store.transact([{ op: 'delete', key }]);
    await Promise.all([a.claim(network.id), host(store, 'b').claim(network.id)]);
    t.deepEqual(await keysOf(store), before, key);
  }
  await a.claim('000000000000');
  await loseNetwork(store, network);
  await a.claim(network.id);
  t.deepEqual(await store.list('vnis/'), [], 'a network that is gone claims nothing');
});

test('networks > a lost name or VNI that is another network’s by now is left to that', async (t) => {
  const store = EmbeddedStore.memory();
  const vnis = { first: 2_000_000, last: 2_000_000 };
  const [a, b] = [host(store, 'a', { vnis }), host(store, 'b', { vnis })];
  const lost = await a.create(WEB);
  await store.transact([{ op: 'delete', key: `vnis/${lost.vni}` }]);
  await b.create({ ...WEB, name: 'other' });
  await t.throwsAsync(a.claim(lost.id), { code: 'VNI_TAKEN' });
  await store.transact([{ op: 'delete', key: `names/${lost.name}` }]);
  await store.transact([{ op: 'delete', key: `vnis/${lost.vni}` }]);
  const other = await b.create(WEB);
  await store.transact([{ op: 'delete', key: `vnis/${lost.vni}` }]);
  await t.throwsAsync(a.claim(lost.id), { code: 'NAME_TAKEN' });
  t.is((await a.findByName('web'))?.id, other.id);
});

test('networks > one that goes takes no claim along that the store gave to another after a loss', async (t) => {
  const store = EmbeddedStore.memory();
  const a = host(store, 'a');
  const { id, vni } = await a.create(WEB);
  const others = [`vnis/${vni}`, 'names/web'];
  for (const key of others) {
    await store.transact([{ op: 'set', key, value: JSON.stringify({ v: 1, owner: 'other' }) }]);
  }
  await a.leave(id, patient);
  t.deepEqual(await keysOf(store), others.toSorted());
});
