import test from 'ava';
import fc from 'fast-check';
import type { NetworkDocument } from '../../../src/cluster/index.js';
import { type Situation, planNetworks } from '../../../src/daemon/network-plan.js';
import { parseVni } from '../../../src/net/index.js';
import { settings } from '../../helpers/docker-settings.js';

function network(id: string, rest: Partial<NetworkDocument> = {}): NetworkDocument {
  return {
    id,
    vni: parseVni(5),
    internal: false,
    pools: [],
    createdBy: 'h1',
    createdAt: 't',
    ...rest,
  };
}

const web = network('w', { name: 'web', docker: settings('web') });
const unannounced = network('w', { name: 'web' });
const nameless = network('n');
const gone = { ...web, removed: { host: 'h1', at: 't' } };
const nothing: Situation = { networks: [], bound: [], docker: [], shunned: new Set() };
const bound = (of: NetworkDocument, hasEndpoints = false) => ({
  dockerId: `docker-${of.id}`,
  network: of,
  hasEndpoints,
});
const inDocker = (id: string, name: string, ipamOptions: Record<string, string> = {}) => ({
  id: `docker-${id}`,
  name,
  ipamOptions,
});

const cases: readonly (readonly [string, Partial<Situation>, readonly object[]])[] = [
  ['nothing is nothing to do', {}, []],
  ['what every host is to have is made', { networks: [web] }, [{ kind: 'create', network: web }]],
  ['what was not announced is the matter of who joined it', { networks: [unannounced] }, []],
  [
    'what somebody is removing is not made',
    { networks: [{ ...web, closing: { host: 'h1', since: 1 } }] },
    [],
  ],
  ['what is here is here', { networks: [web], bound: [bound(web)] }, []],
  ['what was removed here stays away', { networks: [web], shunned: new Set(['w']) }, []],
  [
    'what is gone everywhere needs no mark',
    { networks: [gone], shunned: new Set(['w', 'lost']) },
    [
      { kind: 'welcome', networkId: 'w' },
      { kind: 'welcome', networkId: 'lost' },
    ],
  ],
  [
    'what was removed goes',
    { networks: [gone], bound: [bound(web)] },
    [{ kind: 'remove', dockerId: 'docker-w', network: gone }],
  ],
  ['but not while it is in use', { networks: [gone], bound: [bound(web, true)] }, []],
  [
    'what was taken for it, and has another name, is made one of its own',
    { networks: [web], bound: [bound(web)], docker: [inDocker('w', 'other')] },
    [{ kind: 'separate', dockerId: 'docker-w', network: web }],
  ],
  [
    'one that has containers by then is named',
    { networks: [web], bound: [bound(web, true)], docker: [inDocker('w', 'other')] },
    [{ kind: 'mistaken', dockerId: 'docker-w', network: web, name: 'other' }],
  ],
  [
    'unless its user said that it is to be this one',
    {
      networks: [web],
      bound: [bound(web)],
      docker: [inDocker('w', 'mine', { 'weft.network': 'web' })],
    },
    [],
  ],
  ['what the store has lost stays', { bound: [bound(web)] }, []],
  [
    'what was joined before it was announced is adopted',
    { networks: [web], bound: [bound(unannounced)] },
    [{ kind: 'adopt', dockerId: 'docker-w', network: web }],
  ],
  [
    'a stranger’s network of the name is in the way, and is not touched',
    { networks: [web], docker: [inDocker('x', 'web')] },
    [{ kind: 'blocked', network: web, dockerId: 'docker-x' }],
  ],
  [
    'of two made under one name the empty one goes',
    { networks: [web, nameless], bound: [bound(nameless)], docker: [inDocker('n', 'web')] },
    [{ kind: 'replace', dockerId: 'docker-n', by: web }],
  ],
  [
    'one with containers is in the way',
    { networks: [web, nameless], bound: [bound(nameless, true)], docker: [inDocker('n', 'web')] },
    [
      { kind: 'blocked', network: web, dockerId: 'docker-n' },
      { kind: 'blocked', network: web, dockerId: 'docker-n' },
    ],
  ],
  [
    'one made again where it stays away makes room for the cluster’s',
    {
      networks: [web, nameless],
      bound: [bound(nameless)],
      docker: [inDocker('n', 'web')],
      shunned: new Set(['w']),
    },
    [{ kind: 'replace', dockerId: 'docker-n', by: web }],
  ],
];

for (const [what, situation, steps] of cases) {
  test(`network plan > ${what}`, (t) => {
    t.deepEqual(planNetworks({ ...nothing, ...situation }), steps as never);
  });
}

test('network plan > what is carried out leaves nothing to do, and nothing that is in use goes', (t) => {
  const some = fc.array(
    fc.record({
      isAnnounced: fc.boolean(),
      isRemoved: fc.boolean(),
      isBound: fc.boolean(),
      isShunned: fc.boolean(),
      hasEndpoints: fc.boolean(),
    }),
    { maxLength: 8 },
  );
  fc.assert(
    fc.property(some, (drawn) => {
      const networks = drawn.map(({ isAnnounced, isRemoved }, i) =>
        network(`${i}`, {
          name: `net-${i}`,
          ...(isAnnounced ? { docker: settings(`net-${i}`) } : {}),
          ...(isRemoved ? { removed: { host: 'h1', at: 't' } } : {}),
        }),
      );
      const state = {
        networks,
        bound: networks
          .filter((_, i) => drawn[i]!.isBound)
          .map((n) => bound(n, drawn[+n.id]!.hasEndpoints)),
        shunned: new Set(networks.filter((_, i) => drawn[i]!.isShunned).map(({ id }) => id)),
        docker: [] as ReturnType<typeof inDocker>[],
      };
      for (const step of planNetworks(state)) {
        if (step.kind === 'create') state.bound.push(bound(step.network));
        if (step.kind === 'welcome') state.shunned.delete(step.networkId);
        if (step.kind !== 'remove') continue;
        const taken = state.bound.find(({ dockerId }) => dockerId === step.dockerId);
        t.false(taken?.hasEndpoints);
        state.bound = state.bound.filter((each) => each !== taken);
      }
      t.deepEqual(planNetworks(state), []);
    }),
  );
});
