import type { ElementSpec, SetSpec, TableSpec } from './spec.js';

/** Of two tables what is not the same object in both: less to compare, and nothing that is not there. */
export function differenceOf(
  before: TableSpec,
  after: TableSpec,
): readonly [before: TableSpec, after: TableSpec] {
  const sets = setsOf(before.sets ?? [], after.sets ?? []);
  const chains = new Set(before.chains);
  const same = new Set(after.chains.filter((chain) => chains.has(chain)));
  const other = (table: TableSpec) => table.chains.filter((chain) => !same.has(chain));
  return [
    { ...before, sets: sets.before, chains: other(before) },
    { ...after, sets: sets.after, chains: other(after) },
  ];
}

function setsOf(before: readonly SetSpec[], after: readonly SetSpec[]) {
  const found: { before: SetSpec[]; after: SetSpec[] } = { before: [], after: [] };
  const there = new Map(before.map((set) => [set.name, set]));
  for (const set of after) {
    const was = there.get(set.name);
    there.delete(set.name);
    if (was === set) continue;
    if (was === undefined) {
      found.after.push(set);
    } else if (!isSameShape(was, set)) {
      found.before.push(was);
      found.after.push(set);
    } else if (was.elements !== set.elements) {
      const [gone, fresh] = elementsOf(was.elements ?? [], set.elements ?? []);
      found.before.push({ ...was, elements: gone });
      found.after.push({ ...set, elements: fresh });
    }
  }
  found.before.push(...there.values());
  return found;
}

const isSameShape = (a: SetSpec, b: SetSpec): boolean =>
  a.holds === b.holds && a.comment === b.comment && a.type.join() === b.type.join();

function elementsOf(
  before: readonly ElementSpec[],
  after: readonly ElementSpec[],
): readonly [gone: ElementSpec[], fresh: ElementSpec[]] {
  const [was, is] = [new Set(before), new Set(after)];
  return [before.filter((each) => !is.has(each)), after.filter((each) => !was.has(each))];
}
