import test from 'ava';
import { flowDifferences, flowText, parseFlowProtocol } from '../../../src/policy/index.js';
import { networkOf, policy } from './cluster.js';

const tcp80 = { protocol: 'tcp', ports: { first: 80, last: 80 } } as const;
const db = (rest: object = {}) =>
  policy(
    'db',
    { project: 'x', service: 'a' },
    { ingress: [{ action: 'allow', ports: [tcp80], ...rest }] },
  );

function differences(before = networkOf(), after = networkOf()) {
  return [...flowDifferences(before, after)]
    .filter((each) => each !== undefined)
    .map(
      ({ from, to, flow, after: { verdict } }) =>
        `${from.id} ${to.id} ${flowText(flow)} ${verdict}`,
    );
}

test('changes > are the flows between containers that pass before or after, not both', (t) => {
  const found = differences(networkOf(), networkOf(db()));
  // All others to x-a, of TCP but port 80, and of all other protocols.
  t.is(found.length, 8 * 2);
  t.true(
    found.every((line) => /^\S+ x-a (tcp\/0|protocol 255) deny$/.test(line)),
    found.join('\n'),
  );
});

test('changes > are none when policies only say the same otherwise', (t) => {
  t.deepEqual(differences(networkOf(db()), networkOf(db({ comment: 'the site' }))), []);
  t.deepEqual(differences(networkOf(db()), networkOf(db())), []);
});

test('changes > of a policy are looked for only where it selects somebody', (t) => {
  const before = networkOf(db());
  const after = networkOf(db(), policy('q', { project: 'z', service: 'c' }, { egress: [] }));
  const pairs = [...flowDifferences(before, after)].filter((each) => each === undefined).length;
  t.is(pairs, 16, 'from and to one of nine');
});

test('flow texts > are read and written alike', (t) => {
  for (const text of ['tcp/80', 'udp/65535', 'sctp/1', 'icmp/8', 'icmpv6/128']) {
    t.is(flowText(parseFlowProtocol(text)!), text);
  }
  t.deepEqual(parseFlowProtocol('47'), { protocol: 47 });
  for (const text of ['tcp', 'tcp/65536', 'icmp/256', '256', 'http', '']) {
    t.is(parseFlowProtocol(text), undefined, text);
  }
});
