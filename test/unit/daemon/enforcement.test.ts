import test, { type ExecutionContext } from 'ava';
import type { PolicyText } from '../../../src/cluster/index.js';
import { Announcement } from '../../../src/cluster/index.js';
import { Enforcement } from '../../../src/daemon/enforcement.js';
import { KnownPolicies } from '../../../src/daemon/known-policies.js';
import { Bindings, type EndpointBinding } from '../../../src/driver/index.js';
import { type Mac, parseAddress, parseVni } from '../../../src/net/index.js';
import type { EndpointFacts } from '../../../src/policy/index.js';
import { EmbeddedStore } from '../../../src/store/index.js';
import type { NetworkRules } from '../../../src/vxlan/index.js';
import { until } from '../../helpers/cluster.js';

const NET = 'c3d4e5f60718';
const textOf = (name: string, rest: string, networks = 'web'): PolicyText => ({
  name,
  networks: [networks],
  text: `name: ${name}\nnetworks: [${networks}]\n${rest}`,
  source: 'web.yaml',
  line: 1,
});
const closed = textOf('closed', 'endpoints: {}\ningress: []\n');

const factsOf = (name: string, labels: Record<string, string> = {}): EndpointFacts => ({
  name,
  labels: new Map(Object.entries(labels)),
});

const bindingOf = (id: string, address: string): EndpointBinding => ({
  v: 1,
  id,
  dockerId: 'd1',
  mac: '02:42:0a:53:00:01' as Mac,
  addresses: [{ address: parseAddress(address), prefixLength: 16, poolId: 'p' }],
  since: 0,
});

async function setUp(t: ExecutionContext, policy?: 'isolated') {
  const bindings = await Bindings.load(EmbeddedStore.memory(), (key) => t.fail(key));
  const network = {
    id: NET,
    name: 'web',
    vni: parseVni(7),
    internal: false,
    pools: [],
    createdBy: 'h1',
    createdAt: 'now',
    ...(policy && { policy }),
  };
  await bindings.addNetwork({ v: 1, dockerId: 'd1', network });
  const unreadable: string[] = [];
  const policies = new KnownPolicies((name, reason) => {
    if (reason !== undefined) unreadable.push(name);
  });
  const facts = new Map<string, EndpointFacts>();
  const set: NetworkRules[] = [];
  const reported: number[] = [];
  const health = new Map<string, unknown>();
  const remote: Announcement[] = [];
  let refusals = 0;
  const known = {
    facts: true,
    rules: false,
    forgotten: [] as string[],
    rulesTold: [] as boolean[],
  };
  const enforcement = new Enforcement({
    hostId: 'h1',
    hostName: 'alpha',
    policies,
    bindings,
    view: { hosts: () => [{ id: 'h2', name: 'beta' }], endpoints: () => remote },
    factsOf: (id) => facts.get(id),
    areFactsKnown: () => known.facts,
    datapath: {
      keepRules: async (_, __, without) => {
        known.forgotten.push(
          ...without.flatMap(({ elements = [] }) => elements.map(({ key }) => String(key[0]))),
        );
        return known.rules;
      },
      setRules: async (id, rules) => {
        t.is(id, NET);
        if (refusals > 0) {
          refusals -= 1;
          throw new Error('the kernel says no');
        }
        set.push(rules);
      },
    },
    onRules: (_, hasRules) => void known.rulesTold.push(hasRules),
    onEnforced: (version) => reported.push(version),
    health: {
      set: (key, error) => {
        if (error === undefined) health.delete(key);
        else health.set(key, error);
      },
    },
    log: { warn: () => undefined },
  });
  t.teardown(async () => enforcement[Symbol.asyncDispose]());
  const take = async (version: number, ...texts: readonly PolicyText[]): Promise<void> => {
    policies.take({ version, texts: new Map(texts.map((text) => [text.name, text])) });
    await enforcement.onPolicies();
  };
  return {
    bindings,
    policies,
    unreadable,
    facts,
    set,
    reported,
    health,
    remote,
    known,
    enforcement,
    take,
    refuse: (times: number) => (refusals = times),
  };
}

test('enforcement > a network gets the rules of its policies, and none without', async (t) => {
  const { set, reported, take } = await setUp(t);
  await take(0);
  t.deepEqual(
    set.map(({ spec }) => spec),
    [undefined],
  );
  await take(1, closed);
  t.truthy(set.at(-1)?.spec);
  await take(2);
  t.is(set.at(-1)?.spec, undefined);
  t.deepEqual(reported, [0, 1, 2]);
});

test('enforcement > a network without policies is not touched again, and follows versions', async (t) => {
  const { bindings, enforcement, set, reported, take } = await setUp(t);
  await take(0);
  await bindings.addEndpoint(bindingOf('e1', '10.83.0.2'));
  await enforcement.settle(NET);
  await take(1, textOf('other', 'endpoints: {}\ningress: []\n', 'elsewhere'));
  t.is(set.length, 1);
  t.deepEqual(reported, [0, 1]);
});

test('enforcement > an isolated network has rules without any policy', async (t) => {
  const { set, take } = await setUp(t, 'isolated');
  await take(0);
  t.truthy(set[0]?.spec);
});

test('enforcement > containers are known by what Docker says of them, here and elsewhere', async (t) => {
  const { bindings, enforcement, facts, remote } = await setUp(t);
  await bindings.addEndpoint(bindingOf('e1', '10.83.0.2'));
  await bindings.addEndpoint(bindingOf('e2', '10.83.0.3'));
  facts.set('e1', factsOf('web-1', { app: 'web' }));
  const record = (id: string, address: string, more: object) => ({
    id,
    mac: '02:42:0a:53:01:02',
    addresses: [`${address}/16`],
    ...more,
  });
  const dns = { container: '123456789abc', names: ['db-1'] };
  const share = {
    v: 1,
    network: NET,
    host: 'h2',
    endpoints: [
      record('e3', '10.83.1.2', { dns, labels: { app: 'db' } }),
      record('e4', '10.83.1.3', { name: 'old-1' }),
    ],
  };
  remote.push(Announcement.parse(JSON.stringify(share))!);
  const { endpoints } = enforcement.network(bindings.network('d1')!);
  t.deepEqual(
    endpoints.map(({ id, host, facts: known }) => [
      id,
      host,
      known?.name,
      known?.labels.get('app'),
    ]),
    [
      ['e1', 'alpha', 'web-1', 'web'],
      ['e2', 'alpha', undefined, undefined],
      ['e3', 'beta', 'db-1', 'db'],
      // Announced by a weft that told no labels: unknown, and so denied.
      ['e4', 'beta', undefined, undefined],
    ],
  );
});

test('enforcement > what is known of a container elsewhere holds while its host does not tell it', async (t) => {
  const { bindings, enforcement, remote } = await setUp(t);
  const tell = (...endpoints: readonly object[]): void => {
    const share = { v: 1, network: NET, host: 'h2', endpoints };
    remote.splice(0, remote.length, Announcement.parse(JSON.stringify(share))!);
  };
  const names = () =>
    enforcement.network(bindings.network('d1')!).endpoints.map(({ facts }) => facts?.name);
  const bare = { id: 'e3', mac: '02:42:0a:53:01:02', addresses: ['10.83.1.2/16'] };
  tell({ ...bare, dns: { container: '123456789abc', names: ['db-1'] }, labels: { app: 'db' } });
  t.deepEqual(names(), ['db-1']);
  tell(bare);
  t.deepEqual(names(), ['db-1'], 'the host has just started');
  tell({ ...bare, id: 'e4' });
  t.deepEqual(names(), [undefined], 'another endpoint at the address');
});

test('enforcement > whoever is here has its address, whatever another host still says', async (t) => {
  const { bindings, enforcement, facts, remote } = await setUp(t);
  await bindings.addEndpoint(bindingOf('e1', '10.83.0.2'));
  facts.set('e1', factsOf('web-1'));
  const stale = {
    id: 'e0',
    mac: '02:42:0a:53:01:02',
    addresses: ['10.83.0.2/16'],
    dns: { container: '123456789abc', names: ['gone-1'] },
    labels: {},
  };
  remote.push(
    Announcement.parse(JSON.stringify({ v: 1, network: NET, host: 'h2', endpoints: [stale] }))!,
  );
  const { endpoints } = enforcement.network(bindings.network('d1')!);
  t.deepEqual(
    endpoints.map(({ id }) => id),
    ['e1'],
  );
});

test('enforcement > what the kernel refuses is said, tried again, and not reported as enforced', async (t) => {
  const { enforcement, health, reported, refuse, set, take } = await setUp(t);
  await take(0);
  refuse(2);
  await take(1, closed);
  t.deepEqual([...health.keys()], [`POLICY_NOT_ENFORCED ${NET}`]);
  t.deepEqual(reported, [0]);
  await t.throwsAsync(enforcement.settle(NET), { message: 'the kernel says no' });
  await until(t, 'enforced after all', () => reported.at(-1) === 1);
  t.deepEqual([...health.keys()], []);
  t.truthy(set.at(-1)?.spec);
});

test('enforcement > changes that come together are worked out once', async (t) => {
  const { enforcement, set, take } = await setUp(t);
  await take(1, closed);
  const before = set.length;
  await Promise.all(Array.from({ length: 20 }, async () => enforcement.settle(NET)));
  t.true(set.length - before <= 2);
});

test('enforcement > rules of an earlier run stay until all is known that new ones rest on', async (t) => {
  const { bindings, enforcement, known, reported, set, take } = await setUp(t);
  await bindings.addEndpoint(bindingOf('e1', '10.83.0.2'));
  Object.assign(known, { facts: false, rules: true });
  await take(1, closed);
  t.deepEqual([set.length, reported.length], [0, 0]);
  await bindings.addEndpoint(bindingOf('e2', '10.83.0.3'));
  await enforcement.settle(NET);
  t.is(set.length, 0);
  t.deepEqual(
    [...new Set(known.forgotten)],
    ['10.83.0.3'],
    'who had the address of one that comes is nobody',
  );
  enforcement.onRemote(NET);
  await enforcement.settle(NET);
  t.is(set.length, 0, 'Docker has not said what runs here');
  known.facts = true;
  enforcement.onCompared();
  await until(t, 'enforced', () => reported.at(-1) === 1);
  t.is(set.length, 1);
});

test('known policies > one that can’t be read holds as before, or closes its networks', async (t) => {
  const { policies, unreadable } = await setUp(t);
  const good = textOf('db', 'endpoints: { service: db }\ningress: []\n');
  policies.take({ version: 1, texts: new Map([['db', good]]) });
  const policy = policies.of('web')[0];
  const bad = { ...good, text: 'name: db\nfuture: yes\n' };
  policies.take({
    version: 2,
    texts: new Map([
      ['db', bad],
      ['new', { ...bad, name: 'new' }],
    ]),
  });
  t.deepEqual(unreadable, ['db', 'new']);
  t.is(policies.of('web')[0], policy);
  t.deepEqual(policies.of('web')[1], {
    name: 'new',
    tier: 'owner',
    endpoints: {},
    ingress: [],
    egress: [],
  });
  t.deepEqual(policies.of('elsewhere'), []);
});

test('known policies > lines are those of the file', (t) => {
  const policies = new KnownPolicies((_, reason) => t.is(reason, undefined));
  const text = textOf('db', 'endpoints: {}\ningress:\n  - action: allow\n  - action: deny\n');
  policies.take({ version: 1, texts: new Map([['db', { ...text, line: 41 }]]) });
  const { line, ruleLines } = policies.get('db')!.document;
  t.deepEqual([line, ruleLines.ingress], [41, [45, 46]]);
});
