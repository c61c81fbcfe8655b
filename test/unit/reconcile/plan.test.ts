import test from 'ava';
import * as fc from 'fast-check';
import { type Kind, type Step, plan } from '../../../src/reconcile/index.js';

interface Row {
  readonly key: string;
  readonly value: number;
  readonly owner?: 'us' | 'them';
}

const rows: Kind<Row> = {
  name: 'row',
  key: (row) => row.key,
  same: (desired, observed) => desired.value === observed.value,
  ours: (observed) => observed.owner !== 'them',
};

/** What the kernel holds after the steps; refuses what a kernel would. */
function apply(observed: readonly Row[], steps: readonly Step<Row>[]): Map<string, Row> {
  const kernel = new Map(observed.map((row) => [row.key, row]));
  for (const step of steps) {
    const { key } = step.op === 'delete' ? step.observed : step.desired;
    if ((step.op === 'create') === kernel.has(key)) throw new Error(`cannot ${step.op} ${key}`);
    if (step.op === 'delete') kernel.delete(key);
    else kernel.set(key, step.desired);
  }
  return kernel;
}

const row = fc.record({
  key: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  value: fc.integer({ min: 0, max: 2 }),
  owner: fc.constantFrom('us' as const, 'them' as const),
});
const desiredRows = fc.array(row.map(({ key, value }): Row => ({ key, value })));
const observedRows = fc.uniqueArray(row, { selector: (r) => r.key });

test('plan > leads from any observed to the desired, with the last of doubled keys', (t) => {
  fc.assert(
    fc.property(desiredRows, observedRows, (desired, observed) => {
      const kernel = apply(observed, plan(rows, desired, observed));
      for (const [key, wanted] of new Map(desired.map((r) => [r.key, r]))) {
        t.is(kernel.get(key)?.value, wanted.value, key);
        kernel.delete(key);
      }
      for (const left of kernel.values()) t.is(left.owner, 'them', left.key);
    }),
  );
});

test('plan > has no steps when nothing differs', (t) => {
  fc.assert(
    fc.property(observedRows, (observed) => t.deepEqual(plan(rows, observed, observed), [])),
  );
});

test('plan > leaves alone what is not ours, unless its place is desired', (t) => {
  fc.assert(
    fc.property(desiredRows, observedRows, (desired, observed) => {
      const wanted = new Set(desired.map((r) => r.key));
      for (const step of plan(rows, desired, observed)) {
        if (step.op !== 'create' && step.observed.owner === 'them') {
          t.true(wanted.has(step.observed.key), step.observed.key);
        }
      }
    }),
  );
});

test('plan > deletes before it creates', (t) => {
  const steps = plan(rows, [{ key: 'new', value: 1 }], [{ key: 'old', value: 1 }]);
  t.deepEqual(
    steps.map((step) => step.op),
    ['delete', 'create'],
  );
});

test('plan > says what a changed object was', (t) => {
  const desired = { key: 'a', value: 1 };
  const observed = { key: 'a', value: 2 };
  t.deepEqual(plan(rows, [desired], [observed]), [{ op: 'change', desired, observed }]);
});
