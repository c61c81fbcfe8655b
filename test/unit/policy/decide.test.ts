import test from 'ava';
import fc from 'fast-check';
import { parseAddress } from '../../../src/net/index.js';
import {
  type Endpoint,
  type NetworkPolicies,
  type Policy,
  type Rule,
  type Selector,
  decide,
} from '../../../src/policy/index.js';
import { block, containers, endpointOf, flow, networkOf, policy } from './cluster.js';

const outside = '192.0.2.7';

const selector: fc.Arbitrary<Selector> = fc.constantFrom<Selector>(
  {},
  { project: 'x' },
  { service: 'b' },
  { names: ['y-*'] },
  { hosts: ['host-z'] },
  { labels: [{ key: 'pod', op: 'not-in', values: ['a'] }] },
  { blocks: [block('10.0.0.0/16', '10.0.2.0/24')] },
  { blocks: [block('0.0.0.0/0')] },
);

const rule: fc.Arbitrary<Rule> = fc.record(
  {
    action: fc.constantFrom('allow' as const, 'deny' as const, 'log' as const),
    peers: fc.array(selector, { minLength: 1, maxLength: 2 }),
    ports: fc.constant([{ protocol: 'tcp', ports: { first: 80, last: 80 } } as const]),
  },
  { requiredKeys: ['action'] },
);

const rules = fc.array(rule, { maxLength: 3 });

const policies: fc.Arbitrary<Policy[]> = fc.uniqueArray(
  fc.record(
    {
      name: fc.constantFrom('p', 'q', 'r', 's'),
      tier: fc.constantFrom('owner' as const, 'operator' as const),
      endpoints: selector,
      ingress: rules,
      egress: rules,
    },
    { requiredKeys: ['name', 'tier', 'endpoints'] },
  ),
  { selector: ({ name }) => name, maxLength: 4 },
);

const address = fc.constantFrom(outside, ...containers.map((each) => each.address));
const anyFlow = fc
  .tuple(address, address, fc.constantFrom(80, 81))
  .map(([source, destination, port]) => flow(source, destination, port));

test('policy > the order of policies and endpoints changes nothing', (t) => {
  fc.assert(
    fc.property(policies, anyFlow, (some, packet) => {
      const network = networkOf(...some);
      const turned: NetworkPolicies = {
        ...network,
        policies: some.toReversed(),
        endpoints: network.endpoints.toReversed(),
      };
      t.deepEqual(decide(turned, packet), decide(network, packet));
    }),
  );
});

test('policy > one more deny rule never opens, one more allow rule never closes what was selected', (t) => {
  const order = { deny: 0, allow: 1 };
  fc.assert(
    fc.property(policies, rule, anyFlow, (some, added, packet) => {
      const before = decide(networkOf(...some, policy('t', {}, { ingress: [] })), packet);
      const after = decide(networkOf(...some, policy('t', {}, { ingress: [added] })), packet);
      if (added.action === 'deny') t.true(order[after.verdict] <= order[before.verdict]);
      if (added.action === 'allow') t.true(order[after.verdict] >= order[before.verdict]);
      if (added.action === 'log') t.is(after.verdict, before.verdict);
    }),
  );
});

test('policy > a flow passes when both sides let it, and the rule that is named does what the verdict says', (t) => {
  fc.assert(
    fc.property(policies, anyFlow, (some, packet) => {
      const decision = decide(networkOf(...some), packet);
      const { egress, ingress } = decision;
      t.is(decision.verdict === 'allow', egress.verdict === 'allow' && ingress.verdict === 'allow');
      for (const direction of ['egress', 'ingress'] as const) {
        const { reason, verdict } = decision[direction];
        if (reason.kind !== 'rule') continue;
        const named = some.find(({ name }) => name === reason.policy)?.[direction]?.[reason.rule];
        t.is(named?.action, verdict);
      }
    }),
  );
});

test('policy > while a container is unknown, nothing passes to or from it on a network with policy', (t) => {
  fc.assert(
    fc.property(policies, anyFlow, (some, packet) => {
      const network = networkOf(...some, policy('t', {}, { ingress: [{ action: 'allow' }] }));
      const endpoints = network.endpoints.map(({ id, host, addresses }): Endpoint => ({
        id,
        host,
        addresses,
      }));
      if (packet.source === packet.destination) return;
      const { verdict } = decide({ ...network, endpoints }, packet);
      t.is(verdict, 'deny');
    }),
  );
});

test('policy > a container that is unknown is free on a network without policy', (t) => {
  const endpoints = containers.map(({ address: text }): Endpoint => {
    return { id: text, host: 'h', addresses: [parseAddress(text)] };
  });
  const packet = flow('10.0.0.11', '10.0.1.11', 80);
  t.is(decide({ default: 'open', policies: [], endpoints }, packet).verdict, 'allow');
  t.like(decide({ default: 'isolated', policies: [], endpoints }, packet).ingress, {
    verdict: 'deny',
    reason: { kind: 'endpoint-unknown' },
  });
});

test('policy > an address that has a new owner is judged by the labels of that one', (t) => {
  const [first, ...rest] = containers;
  const open = policy(
    'p',
    { labels: [{ key: 'role', op: 'in', values: ['web'] }] },
    {
      ingress: [{ action: 'allow' }],
    },
  );
  const verdictFor = (role: string) =>
    decide(
      {
        default: 'isolated',
        policies: [open, policy('send', {}, { egress: [{ action: 'allow' }] })],
        endpoints: [endpointOf(first!, { role }), ...rest.map((each) => endpointOf(each))],
      },
      flow('10.0.1.11', '10.0.0.11', 80),
    ).verdict;
  t.is(verdictFor('web'), 'allow');
  t.is(verdictFor('db'), 'deny');
});

test('policy > outside has no policy of its own, and only blocks select it', (t) => {
  const allowing = (peer: Selector) =>
    decide(
      networkOf(policy('p', {}, { ingress: [{ action: 'allow', peers: [peer] }] })),
      flow(outside, '10.0.0.11', 80),
    );
  t.is(allowing({ blocks: [block('192.0.2.0/24')] }).verdict, 'allow');
  t.deepEqual(allowing({}).egress.reason, { kind: 'outside' });
  t.deepEqual(allowing({}).ingress.reason, { kind: 'no-rule-allows', policies: ['p'] });
  t.is(allowing({ blocks: [block('192.0.2.0/24')], hosts: ['host-x'] }).verdict, 'deny');
});

test('policy > ICMP is judged by its type, and other protocols only by rules without ports', (t) => {
  const echo = policy(
    'p',
    {},
    {
      ingress: [{ action: 'allow', ports: [{ protocol: 'icmp', types: [8] }] }],
    },
  );
  const between = {
    source: parseAddress('10.0.0.11'),
    destination: parseAddress('10.0.1.11'),
  };
  const verdict = (rest: { protocol: 'icmp' | 'icmpv6'; type: number } | { protocol: number }) =>
    decide(networkOf(echo), { ...between, ...rest }).verdict;
  t.is(verdict({ protocol: 'icmp', type: 8 }), 'allow');
  t.is(verdict({ protocol: 'icmp', type: 13 }), 'deny');
  t.is(verdict({ protocol: 'icmpv6', type: 8 }), 'deny');
  t.is(verdict({ protocol: 47 }), 'deny');
  const all = networkOf(policy('p', {}, { ingress: [{ action: 'allow' }] }));
  t.is(decide(all, { ...between, protocol: 47 }).verdict, 'allow');
});

test('policy > a decision names the rule on each side, and the rules that log', (t) => {
  const network = networkOf(
    policy('b', {}, { ingress: [{ action: 'log' }, { action: 'allow' }] }),
    policy('a', {}, { egress: [{ action: 'allow' }] }),
  );
  t.deepEqual(decide(network, flow('10.0.0.11', '10.0.1.11', 80)), {
    verdict: 'allow',
    egress: { verdict: 'allow', reason: { kind: 'rule', policy: 'a', rule: 0 }, logs: [] },
    ingress: {
      verdict: 'allow',
      reason: { kind: 'rule', policy: 'b', rule: 1 },
      logs: [{ policy: 'b', rule: 0 }],
    },
  });
});
