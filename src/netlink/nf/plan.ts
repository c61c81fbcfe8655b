/**
 * From what a table is to what it shall be, in messages for one batch.
 *
 * The order keeps every reference whole: sets and chains come before the rules and elements that name them, and go after.
 */
import { type Message } from '../message.js';
import {
  type ChainForm,
  type ElementForm,
  type SetForm,
  type TableForm,
  keyText,
  rulesText,
} from './form.js';
import {
  delChain,
  delElements,
  delSet,
  delTable,
  flushChain,
  newChain,
  newElements,
  newRule,
  newSet,
  newTable,
} from './message.js';
import { SET_FLAG } from './wire.js';

function createTable(table: TableForm): Message[] {
  const sets = [...table.sets.values()];
  const chains = [...table.chains.values()];
  return [
    newTable(table, table.comment, table.owned),
    ...sets.map((set, i) => newSet(table, set, i + 1)),
    ...chains.map((chain) => newChain(table, chain)),
    ...sets.flatMap((set) => newElements(table, set.name, set.elements.values())),
    ...chains.flatMap((chain) => newRules(table, chain)),
  ];
}

const newRules = (table: TableForm, chain: ChainForm): Message[] =>
  chain.rules.map((rule) => newRule(table, chain.name, rule));

/** Everything about a set or chain that can't be changed in place. */
const shapeOfSet = (set: SetForm) =>
  JSON.stringify([
    set.flags,
    set.keyType,
    set.keyLength,
    set.keyByteOrder,
    set.dataType,
    set.comment ?? '',
  ]);
const shapeOfChain = ({ base, comment = '' }: ChainForm) =>
  JSON.stringify([
    base && [base.type, base.hook, base.priority, base.policy, base.devices],
    comment,
  ]);
const shapeOfElement = ({ verdict, value, comment = '' }: ElementForm) =>
  JSON.stringify([verdict && [verdict.code, verdict.chain], value && keyText(value), comment]);

/** Whether the difference is in something that others may refer to, so that only a new table is safe. */
function isOther(desired: TableForm, observed: TableForm): boolean {
  if ((desired.comment ?? '') !== (observed.comment ?? '')) return true;
  for (const set of desired.sets.values()) {
    const there = observed.sets.get(set.name);
    if (there && shapeOfSet(there) !== shapeOfSet(set)) return true;
  }
  for (const chain of desired.chains.values()) {
    const there = observed.chains.get(chain.name);
    // Nothing can jump to a base chain.
    const isFree = chain.base !== undefined && there?.base !== undefined;
    if (there && !isFree && shapeOfChain(there) !== shapeOfChain(chain)) return true;
  }
  return false;
}

function elementChanges(desired: SetForm, observed: SetForm | undefined) {
  const gone: ElementForm[] = [];
  const fresh: ElementForm[] = [];
  for (const [key, element] of observed?.elements ?? []) {
    const wanted = desired.elements.get(key);
    if (!wanted || shapeOfElement(wanted) !== shapeOfElement(element)) gone.push(element);
  }
  for (const [key, element] of desired.elements) {
    const there = observed?.elements.get(key);
    if (!there || shapeOfElement(there) !== shapeOfElement(element)) fresh.push(element);
  }
  return { gone, fresh };
}

function chainChanges(desired: TableForm, observed: TableForm) {
  const changes: Record<'first' | 'middle' | 'last', Message[]> = {
    first: [],
    middle: [],
    last: [],
  };
  for (const chain of desired.chains.values()) {
    const there = observed.chains.get(chain.name);
    const isSame = there !== undefined && shapeOfChain(there) === shapeOfChain(chain);
    if (isSame && rulesText(there.rules) === rulesText(chain.rules)) continue;
    if (isSame) changes.first.push(flushChain(desired, chain.name));
    else {
      if (there) changes.first.push(delChain(desired, chain.name));
      changes.first.push(newChain(desired, chain));
    }
    changes.last.push(...newRules(desired, chain));
  }
  for (const { name } of observed.chains.values()) {
    if (desired.chains.has(name)) continue;
    changes.first.push(flushChain(desired, name));
    changes.middle.push(delChain(desired, name));
  }
  return changes;
}

/** Nothing when they are the same. What `observed` has and `desired` has not is deleted. */
export function planTable(desired: TableForm, observed: TableForm | undefined): Message[] {
  if (observed === undefined) return createTable(desired);
  if (isOther(desired, observed)) return [delTable(desired), ...createTable(desired)];
  const sets = [...desired.sets.values()].map((set) => ({
    set,
    isNew: !observed.sets.has(set.name),
    ...elementChanges(set, observed.sets.get(set.name)),
  }));
  // A set that a rule carries inside itself goes with the rule.
  const goneSets = [...observed.sets.values()].filter(
    ({ name, flags }) => !desired.sets.has(name) && (flags & SET_FLAG.anonymous) === 0,
  );
  const chains = chainChanges(desired, observed);
  return [
    ...sets.flatMap(({ set, isNew }, i) => (isNew ? [newSet(desired, set, i + 1)] : [])),
    ...chains.first,
    ...sets.flatMap(({ set, gone }) => delElements(desired, set.name, gone)),
    ...goneSets.map(({ name }) => delSet(desired, name)),
    ...chains.middle,
    ...sets.flatMap(({ set, fresh }) => newElements(desired, set.name, fresh)),
    ...chains.last,
  ];
}
