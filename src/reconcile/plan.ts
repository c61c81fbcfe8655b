/** What one sort of object is: how to recognise it, compare it, and tell whether it is ours. */
export interface Kind<D, O = D> {
  /** As reports and errors call it: "fdb", "neighbor". */
  readonly name: string;
  /** The place an object takes in the kernel: two objects of one key can't exist side by side. */
  key(object: D | O): string;
  /** Whether what is observed is what is desired, at the same key. */
  same(desired: D, observed: O): boolean;
  /** Whether we may delete it. At a desired key nobody is asked: that place is ours. */
  ours(observed: O): boolean;
}

export type Step<D, O = D> =
  | { readonly op: 'delete'; readonly observed: O }
  | { readonly op: 'create'; readonly desired: D }
  | { readonly op: 'change'; readonly desired: D; readonly observed: O };

/**
 * The steps from what is observed to what is desired: deletes first, so that a place is free before it is taken.
 *
 * Pure. Of two desired objects with one key the last counts, and of two observed ones too. No step touches what `ours`
 * disowns, unless its key is desired.
 */
export function plan<D, O = D>(
  kind: Kind<D, O>,
  desired: Iterable<D>,
  observed: Iterable<O>,
): Step<D, O>[] {
  return planByKey(kind, byKey(kind, desired), byKey(kind, observed));
}

/** The last of each key. */
export function byKey<D, O = D, T extends D | O = D | O>(
  kind: Kind<D, O>,
  objects: Iterable<T>,
): Map<string, T> {
  const map = new Map<string, T>();
  for (const object of objects) map.set(kind.key(object), object);
  return map;
}

/** {@link plan} for callers that keep objects by key. */
export function planByKey<D, O = D>(
  kind: Kind<D, O>,
  desired: ReadonlyMap<string, D>,
  observed: ReadonlyMap<string, O>,
): Step<D, O>[] {
  const steps: Step<D, O>[] = [];
  for (const [key, object] of observed) {
    if (!desired.has(key) && kind.ours(object)) steps.push({ op: 'delete', observed: object });
  }
  for (const [key, object] of desired) {
    const existing = observed.get(key);
    if (existing === undefined) steps.push({ op: 'create', desired: object });
    else if (!kind.same(object, existing)) {
      steps.push({ op: 'change', desired: object, observed: existing });
    }
  }
  return steps;
}
