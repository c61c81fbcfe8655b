import test from 'ava';
import type { nft } from '../../../src/netlink/index.js';
import { tableForm } from '../../../src/netlink/nf/form.js';
import { planTable } from '../../../src/netlink/nf/plan.js';
import { NFT_DELSETELEM, NFT_NEWSETELEM } from '../../../src/netlink/nf/wire.js';
import {
  type Endpoint,
  type NetworkPolicies,
  type Policy,
  PolicyTable,
  compile,
} from '../../../src/policy/index.js';
import { containers, endpointOf, networkOf, policy } from './cluster.js';

const host = 'host-x';
const allow = { action: 'allow' } as const;
const http = { protocol: 'tcp', ports: { first: 80, last: 80 } } as const;
const xa = { project: 'x', service: 'a' };
const db = policy('db', xa, { ingress: [{ ...allow, peers: [{ service: 'b' }], ports: [http] }] });

function tableOf(network: NetworkPolicies, kept = new PolicyTable(host)): nft.TableSpec {
  const table = kept.update(network);
  if (!table) throw new Error('there is no table');
  return table;
}

const elementsOf = ({ sets = [] }: nft.TableSpec, name: string): readonly nft.ElementSpec[] =>
  sets.find((set) => set.name === name)?.elements ?? [];
const chainNames = ({ chains }: nft.TableSpec): string[] => chains.map(({ name }) => name);

/** The kinds of messages that lead from one table to the other, and how many. */
const stepsOf = (from: nft.TableSpec, to: nft.TableSpec): readonly string[] =>
  planTable(tableForm(to), tableForm(from)).map(({ kind }) => kind.name);

test('policy compiler > a network without policy needs no table, an isolated one does', (t) => {
  t.is(compile(networkOf(), host), undefined);
  t.true(chainNames(tableOf({ ...networkOf(), default: 'isolated' })).includes('isolated-to'));
});

test('policy compiler > chains are called after policies, and only for containers of the host', (t) => {
  const both = policy('both', {}, { ingress: [], egress: [] });
  t.deepEqual(chainNames(tableOf(networkOf(db, both))), [
    'forward',
    'denied',
    'logged',
    'from-both',
    'to-both/db',
    'to-both',
  ]);
  const elsewhere = policy('there', { project: 'y' }, { ingress: [] });
  t.deepEqual(chainNames(tableOf(networkOf(elsewhere))), ['forward', 'denied', 'logged']);
});

test('policy compiler > many policies on one container have a chain whose name has room in nftables', (t) => {
  const many = Array.from({ length: 50 }, (_, i) => policy(`policy-${i}`, xa, { ingress: [] }));
  const names = chainNames(tableOf(networkOf(...many))).slice(3);
  t.is(names.length, 1);
  t.true(names[0]!.length < 200);
});

test('policy compiler > one more container changes elements, however many rules there are', (t) => {
  const kept = new PolicyTable(host);
  const rules = Array.from({ length: 100 }, (_, i) => ({
    ...allow,
    peers: [{ labels: [{ key: 'n', op: 'in', values: [`${i}`] } as const] }],
    ports: [http],
  }));
  const before = networkOf(policy('many', {}, { ingress: rules }));
  const added: Endpoint = {
    ...endpointOf({ project: 'x', service: 'b', address: '10.0.9.9' }, { n: '7' }),
    id: 'added',
  };
  const after = { ...before, endpoints: [added, ...before.endpoints] };
  const [first, second] = [tableOf(before, kept), tableOf(after, kept)];
  const steps = stepsOf(first, second);
  t.true(steps.length > 0 && steps.every((step) => step === NFT_NEWSETELEM.name), steps.join());
  t.true(steps.length <= 5, steps.join());
  const back = stepsOf(second, tableOf(before, kept));
  const rest = back.filter((step) => step !== NFT_DELSETELEM.name);
  // Whoever has its address next is judged anew: the chain with the epoch.
  t.deepEqual([...new Set(rest)], ['NFT_MSG_DELRULE', 'NFT_MSG_NEWRULE']);
});

test('policy compiler > what a container may depends on nothing that is not about it', (t) => {
  const kept = new PolicyTable(host);
  const before = tableOf(networkOf(db), kept);
  const more: Policy = policy('more', { project: 'z' }, { egress: [] });
  const after = tableOf(networkOf(db, more), kept);
  for (const set of ['to-db-flows', 'to-db-peers', 'to-db-ports', 'receivers4']) {
    t.deepEqual(elementsOf(after, set), elementsOf(before, set), set);
  }
});

test('policy compiler > a container that is unknown has no elements', (t) => {
  const [first, ...rest] = networkOf().endpoints;
  const { facts: _, ...unknown } = first!;
  const table = tableOf({ ...networkOf(db), endpoints: [unknown, ...rest] });
  const texts = (table.sets ?? []).flatMap(({ elements = [] }) => elements.map(({ key }) => key));
  t.false(texts.some((key) => key.includes(containers[0]!.address)));
});

test('policy compiler > containers that are alike to every rule are one peer', (t) => {
  const table = tableOf(networkOf(db));
  const marks = new Set(elementsOf(table, 'identities4').map(({ mark }) => mark));
  t.is(marks.size, 2);
  t.is(elementsOf(table, 'to-db-flows').length, 1);
});

test('policy compiler > all ports in one range cost one element for whom they are allowed', (t) => {
  const high = { protocol: 'tcp', ports: { first: 1024, last: 65_535 } } as const;
  const rule = { ...allow, peers: [{ service: 'b' }], ports: [high] };
  const table = tableOf(networkOf(policy('high', xa, { ingress: [rule] })));
  t.is(elementsOf(table, 'to-high-flows').length, 1);
  // The ports that are in no range, for they are fewer.
  t.is(elementsOf(table, 'ports').length, 1024);
});
