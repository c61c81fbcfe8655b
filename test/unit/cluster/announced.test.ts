import test from 'ava';
import { EmbeddedStore } from '../../../src/store/index.js';
import { settings } from '../../helpers/docker-settings.js';
import { ENDPOINT, WEB, host, keysOf, patient } from '../../helpers/networks.js';

const DOCKER = { ...settings('web'), labels: { tier: 'front' } };

test('announced networks > one that is announced keeps what was announced first, and others can join it by its name', async (t) => {
  const store = EmbeddedStore.memory();
  const [a, b] = [host(store, 'a'), host(store, 'b')];
  const { name: _, ...unnamed } = WEB;
  const network = await a.create(unnamed);
  t.true(await a.name(network.id, 'web'));
  t.deepEqual((await a.announce(network.id, DOCKER)).docker, DOCKER);
  t.deepEqual((await b.announce(network.id, settings('other'))).docker, DOCKER);
  t.deepEqual((await b.findByName('web'))?.docker, DOCKER);
});

test('announced networks > unused, an announced one goes from the cluster at once, and its last member takes the note along', async (t) => {
  const store = EmbeddedStore.memory();
  const [a, b] = [host(store, 'a'), host(store, 'b')];
  const { id } = await a.create(WEB);
  await a.announce(id, DOCKER);
  await b.join(id, patient);
  t.deepEqual(await b.remove(id, { ...patient, leave: true }), { kind: 'removed' });
  t.is(await a.get(id), undefined);
  t.is(await a.findByName('web'), undefined);
  t.deepEqual(
    await keysOf(store),
    [`endpoints/${id}/host-a`, `heads/${id}/host-a`, `networks/${id}`],
    'a has to hear of it',
  );
  const again = await b.create(WEB);
  await a.publish({ ...again, id, vni: again.vni }, [], patient);
  t.is(await a.get(id), undefined, 'nobody brings it back for nothing');
  t.deepEqual(await a.remove(id, { ...patient, leave: true }), { kind: 'gone' });
  t.deepEqual((await b.findByName('web'))?.id, again.id, 'the name is the new one’s');
  await b.remove(again.id, { ...patient, leave: true });
  t.deepEqual(await keysOf(store), []);
});

test('announced networks > one in use elsewhere stays there, and who uses it is told by name', async (t) => {
  const store = EmbeddedStore.memory();
  const [a, b] = [host(store, 'a'), host(store, 'b')];
  const network = await a.announce((await a.create(WEB)).id, DOCKER);
  await b.join(network.id, patient);
  await a.publish(
    network,
    [
      { ...ENDPOINT, name: 'api' },
      { ...ENDPOINT, id: 'e2' },
    ],
    patient,
  );
  const by = [{ hostId: 'host-a', containers: ['api', 'e2'] }];
  t.deepEqual(await b.remove(network.id, { ...patient, leave: true }), { kind: 'in-use', by });
  t.deepEqual(await b.memberships(), []);
  t.deepEqual(await a.remove(network.id, { ...patient, leave: false }), { kind: 'in-use', by });
  t.truthy(await b.get(network.id));
});

test('announced networks > an endpoint that came while the network was removed brings it back', async (t) => {
  const store = EmbeddedStore.memory();
  const [a, b] = [host(store, 'a'), host(store, 'b')];
  const network = await a.announce((await a.create(WEB)).id, DOCKER);
  await b.join(network.id, patient);
  await a.remove(network.id, { ...patient, leave: true });
  await b.publish(network, [ENDPOINT], patient);
  t.deepEqual((await a.findByName('web'))?.docker, DOCKER);
  t.deepEqual(await b.users(network.id), [{ hostId: 'host-b', containers: ['e1'] }]);
});

test('announced networks > of a removal and an endpoint that come at once the endpoint wins', async (t) => {
  for (let round = 0; round < 20; round += 1) {
    const store = EmbeddedStore.memory();
    const [a, b] = [host(store, 'a'), host(store, 'b')];
    const network = await a.announce((await a.create(WEB)).id, DOCKER);
    await b.join(network.id, patient);
    await Promise.all([
      a.remove(network.id, { ...patient, leave: true }),
      b.publish(network, [ENDPOINT], patient),
    ]);
    t.truthy(await a.get(network.id), `round ${round}`);
    t.is((await b.users(network.id)).length, 1);
  }
});
