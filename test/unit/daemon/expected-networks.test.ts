import test from 'ava';
import type { NetworkDocument } from '../../../src/cluster/index.js';
import { ExpectedNetworks } from '../../../src/daemon/expected-networks.js';
import { parsePrefix, parseVni } from '../../../src/net/index.js';
import { settings } from '../../helpers/docker-settings.js';

const four = { prefix: undefined, family: 4 } as const;
const six = { prefix: undefined, family: 6 } as const;

function announced(name: string, ...prefixes: readonly string[]) {
  return {
    id: name,
    name,
    docker: settings(name),
    vni: parseVni(5),
    internal: false,
    pools: prefixes.map((prefix) => ({ id: prefix, prefix: parsePrefix(prefix) })),
    createdBy: 'h1',
    createdAt: 't',
  };
}

function expectedWith(networks: readonly NetworkDocument[], shunned: readonly string[]) {
  const state = { now: 0, shunned: new Map(shunned.map((id) => [id, id])), isDockerThere: true };
  const expected = new ExpectedNetworks({
    view: { networks: () => [...networks] },
    bindings: { shunned: () => state.shunned },
    isDockerThere: () => state.isDockerThere,
    clock: () => state.now,
  });
  return { expected, state };
}

const web = announced('web', '10.1.0.0/24', 'fd01::/64');
const db = announced('db', '10.2.0.0/24');

test('expected networks > nothing is guessed while Docker does not answer, for nobody would tell the name', (t) => {
  const { expected, state } = expectedWith([db], ['db']);
  state.isDockerThere = false;
  t.is(expected.nameFor(four), undefined);
  t.is(expected.nameFor({ prefix: parsePrefix('10.2.0.0/24'), family: 4 }), 'db');
  state.isDockerThere = true;
  t.is(expected.nameFor(four), 'db');
});

test('expected networks > who asks for the prefix of what was removed here means it', (t) => {
  const { expected } = expectedWith([web, db], ['web', 'db']);
  t.is(expected.nameFor({ prefix: parsePrefix('10.2.0.0/24'), family: 4 }), 'db');
  t.is(expected.nameFor({ prefix: parsePrefix('10.3.0.0/24'), family: 4 }), undefined);
  t.is(expected.nameFor(four), undefined, 'two are away: no guess');
});

test('expected networks > who asks for any prefix means the only one that was removed here, once', (t) => {
  const { expected, state } = expectedWith([web, db], ['web']);
  t.is(expected.nameFor(four), 'web');
  t.is(expected.nameFor(six), 'web', 'both families of one create');
  t.is(expected.nameFor(four), undefined, 'it came to nothing');
  expected.forgetGuess('web');
  t.is(expected.nameFor(four), 'web', 'it was removed again');
  state.now += 31_000;
  t.is(expected.nameFor(four), 'web');
  t.is(expectedWith([web, db], []).expected.nameFor(four), undefined);
  t.is(expectedWith([db], ['db']).expected.nameFor(six), undefined, 'it has no such pool');
});

test('expected networks > what weft makes itself is known, and is no guess', async (t) => {
  const { expected } = expectedWith([web], ['web']);
  await expected.whileMaking(db, async () => {
    t.is(expected.nameFor({ prefix: parsePrefix('10.2.0.0/24'), family: 4 }), 'db');
  });
  t.is(expected.nameFor({ prefix: parsePrefix('10.2.0.0/24'), family: 4 }), undefined);
  await expected.withoutGuess(async () => t.is(expected.nameFor(four), undefined));
  t.is(expected.nameFor(four), 'web');
});
