import test from 'ava';
import fc from 'fast-check';
import type { nft } from '../../../src/netlink/index.js';
import { type NetworkPolicies, PolicyTable, compile } from '../../../src/policy/index.js';
import { HERE, network } from '../../policy-fuzz/world.js';

const setOf = ({ sets = [] }: nft.TableSpec, name: string) =>
  sets.find((set) => set.name === name)?.elements ?? [];

/**
 * What a table says, with names in place of numbers: an identity by the addresses that have it, a cell by its title. Peers and cells that
 * nobody has any more are in no map of addresses or ports, and so say nothing.
 */
function meaningOf(table: nft.TableSpec | undefined): unknown {
  if (!table) return undefined;
  const identities = new Map<number, string[]>();
  for (const name of ['identities4', 'identities6']) {
    for (const { key, mark } of setOf(table, name)) {
      identities.set(mark!, [...(identities.get(mark!) ?? []), String(key[0])].toSorted());
    }
  }
  const cells = new Map<number, string>([[0, 'other protocols']]);
  for (const name of ['protocols', 'ports', 'types4', 'types6']) {
    for (const { mark, comment } of setOf(table, name)) cells.set(mark!, comment!);
  }
  const identity = (number: unknown) => identities.get(Number(number))?.join(' ') ?? 'nobody';
  const cell = (number: unknown) => cells.get(Number(number)) ?? `no cell ${String(number)}`;
  const textOf = (set: nft.SetSpec, { key, mark, verdict, comment }: nft.ElementSpec): string => {
    const parts = key.map((part, i) => {
      if (set.type[i] === 'classid') return identity(part);
      return set.type[i] === 'mark' ? cell(part) : part;
    });
    const holds =
      set.holds === 'priorities' ? identity(mark) : set.holds === 'marks' ? cell(mark) : verdict;
    return JSON.stringify([parts, holds, comment]);
  };
  return {
    sets: Object.fromEntries(
      (table.sets ?? [])
        .map(
          (set) =>
            [set.name, (set.elements ?? []).map((each) => textOf(set, each)).toSorted()] as const,
        )
        .toSorted(([a], [b]) => Number(a > b) * 2 - 1),
    ),
    chains: table.chains
      .filter(({ name }) => name !== 'forward')
      .map(({ name, rules }) => [name, rules.map(({ comment }) => comment)])
      .toSorted(([a], [b]) => Number(a! > b!) * 2 - 1),
  };
}

/** The next network, in which what is as before is the same object. */
function after(before: NetworkPolicies, next: NetworkPolicies): NetworkPolicies {
  const keep = <T>(old: readonly T[], fresh: readonly T[]): T[] => {
    const texts = new Map(old.map((each) => [inText(each), each]));
    return fresh.map((each) => texts.get(inText(each)) ?? each);
  };
  return {
    ...next,
    policies: keep(before.policies, next.policies),
    endpoints: keep(before.endpoints, next.endpoints),
  };
}

const inText = (thing: unknown): string =>
  JSON.stringify(thing, (_, value: unknown) => (value instanceof Map ? [...value] : value));

/** Steps from one network towards another: some of its policies and containers are there already. */
const steps = fc
  .array(fc.tuple(network, fc.integer({ min: 0, max: 4 }), fc.integer({ min: 0, max: 12 })), {
    minLength: 2,
    maxLength: 8,
  })
  .map((targets) => {
    let now = targets[0]![0];
    return targets.map(([target, policies, endpoints]) => {
      const ids = new Set(target.endpoints.slice(0, endpoints).map(({ id }) => id));
      const names = new Set(target.policies.slice(0, policies).map(({ name }) => name));
      now = after(now, {
        ...target,
        policies: [
          ...now.policies.filter(({ name }) => !names.has(name)),
          ...target.policies.slice(0, policies),
        ],
        endpoints: [
          ...now.endpoints.filter(({ id }) => !ids.has(id)),
          ...target.endpoints.slice(0, endpoints),
        ],
      });
      return now;
    });
  });

test('policy table > after any changes says what one made from nothing says', (t) => {
  let compared = 0;
  fc.assert(
    fc.property(steps, (networks) => {
      const table = new PolicyTable(HERE);
      for (const some of networks) {
        t.deepEqual(meaningOf(table.update(some)), meaningOf(compile(some, HERE)));
        compared += 1;
      }
    }),
    { numRuns: 150 },
  );
  t.log(`${compared} tables`);
});

test('policy table > what does not change is the same object', (t) => {
  const [some] = fc.sample(network, { seed: 7, numRuns: 1 });
  const table = new PolicyTable(HERE);
  const closed = { ...some!, default: 'isolated' as const };
  const [first, second] = [table.update(closed)!, table.update({ ...closed })!];
  const same = (a: readonly unknown[] = [], b: readonly unknown[] = []) =>
    a.filter((each) => b.includes(each)).length;
  t.is(same(first.chains, second.chains), first.chains.length);
  // But for the addresses of this host's containers, which are few.
  t.true(same(first.sets, second.sets) >= first.sets!.length - 4);
});

test('policy table > is whole where nobody is, and when everybody goes', (t) => {
  const table = new PolicyTable(HERE);
  const [some] = fc.sample(network, { seed: 3, numRuns: 1 });
  const empty: NetworkPolicies = { default: 'isolated', policies: [], endpoints: [] };
  for (const each of [empty, { ...some!, default: 'isolated' as const }, empty]) {
    const names = new Set(table.update(each)?.sets?.map(({ name }) => name));
    for (const name of ['identities4', 'identities6', 'senders4', 'receivers6', 'protocols']) {
      t.true(names.has(name), name);
    }
  }
});
