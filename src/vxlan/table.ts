import type { Connection, Message } from '../netlink/index.js';
import { type Kind, type Step, byKey, planByKey } from '../reconcile/index.js';
import { type Tally, applySteps } from './tally.js';

/**
 * One sort of row in the kernel: what is desired, and what was last seen or done there. With both known, a change costs
 * only its own messages; a dump now and then corrects what others did in between.
 *
 * There may be 50,000 rows, nearly all of them as desired: each is kept once, and the others apart.
 */
export class Table<T> {
  readonly #kind: Kind<T>;
  readonly #messagesOf: (step: Step<T>) => readonly Message[];
  #desired = new Map<string, T>();
  /** Where the kernel has not what is desired: what it has, undefined for nothing. */
  readonly #odd = new Map<string, T | undefined>();

  constructor(kind: Kind<T>, messagesOf: (step: Step<T>) => readonly Message[]) {
    this.#kind = kind;
    this.#messagesOf = messagesOf;
  }

  /** Takes in a dump. */
  observe(rows: Iterable<T>): void {
    this.#odd.clear();
    const missing = new Set(this.#desired.keys());
    for (const row of rows) {
      const key = this.#kind.key(row);
      missing.delete(key);
      if (this.#isDesired(key, row)) this.#odd.delete(key);
      else this.#odd.set(key, row);
    }
    for (const key of missing) this.#odd.set(key, undefined);
  }

  /** Whether something is desired at this row's place. */
  wants(row: T): boolean {
    return this.#desired.has(this.#kind.key(row));
  }

  /** What is desired at this row's place. */
  desired(row: T): T | undefined {
    return this.#desired.get(this.#kind.key(row));
  }

  /** What is at this row's place in the kernel, as far as we know. */
  observed(row: T): T | undefined {
    return this.#at(this.#kind.key(row));
  }

  /** Makes these rows all that is desired. `mayDelete` says which others go. */
  async set(
    conn: Connection,
    rows: readonly T[],
    mayDelete: (row: T) => boolean,
    tally: Tally,
  ): Promise<void> {
    const desired = byKey(this.#kind, rows);
    const keys = new Set([...this.#desired.keys(), ...this.#odd.keys(), ...desired.keys()]);
    const observed = this.#want(keys, desired);
    // The same rows, under keys that are texts of the rows themselves.
    this.#desired = desired;
    await this.#apply(conn, this.#plan(desired, observed, mayDelete), tally);
  }

  /** Makes these rows all that is desired at the places with these keys, and leaves the other places. */
  async setAt(
    conn: Connection,
    keys: Iterable<string>,
    rows: readonly T[],
    mayDelete: (row: T) => boolean,
    tally: Tally,
  ): Promise<void> {
    const desired = byKey(this.#kind, rows);
    const observed = this.#want(keys, desired);
    await this.#apply(conn, this.#plan(desired, observed, mayDelete), tally);
  }

  /** Makes these rows desired too. */
  async put(conn: Connection, rows: readonly T[], tally: Tally): Promise<void> {
    const desired = byKey(this.#kind, rows);
    const observed = this.#want(desired.keys(), desired);
    await this.#apply(conn, planByKey(this.#kind, desired, observed), tally);
  }

  /** Makes these rows undesired and deletes them, seen or not: one may have come of an exchange that broke off. */
  async remove(conn: Connection, rows: readonly T[], tally: Tally): Promise<void> {
    const byPlace = byKey(this.#kind, rows);
    const observed = this.#want(byPlace.keys(), new Map());
    const steps = Array.from(byPlace, ([key, row]) => {
      return { op: 'delete', observed: observed.get(key) ?? row } as const;
    });
    await this.#apply(conn, steps, tally);
  }

  /** Makes these rows undesired; they are gone with their link. */
  forget(rows: readonly T[]): void {
    for (const row of rows) {
      this.#desired.delete(this.#kind.key(row));
      this.#odd.delete(this.#kind.key(row));
    }
  }

  /** Whether news of the kernel's is what we want anyway: our own doing, or nobody's concern. */
  agrees(row: T, isGone: boolean): boolean {
    const wanted = this.#desired.get(this.#kind.key(row));
    if (wanted === undefined) return isGone || !this.#kind.ours(row);
    return !isGone && this.#kind.same(wanted, row);
  }

  #at(key: string): T | undefined {
    return this.#odd.has(key) ? this.#odd.get(key) : this.#desired.get(key);
  }

  #isDesired(key: string, row: T | undefined): boolean {
    const desired = this.#desired.get(key);
    if (desired === undefined || row === undefined) return desired === row;
    return this.#kind.same(desired, row);
  }

  /** Makes these rows what is desired at these keys; answers what is there. */
  #want(keys: Iterable<string>, desired: ReadonlyMap<string, T>): Map<string, T> {
    const observed = new Map<string, T>();
    for (const key of keys) {
      const there = this.#at(key);
      if (there !== undefined) observed.set(key, there);
      const wanted = desired.get(key);
      if (wanted === undefined) this.#desired.delete(key);
      else this.#desired.set(key, wanted);
      if (this.#isDesired(key, there)) this.#odd.delete(key);
      else this.#odd.set(key, there);
    }
    return observed;
  }

  #plan(
    desired: ReadonlyMap<string, T>,
    observed: ReadonlyMap<string, T>,
    mayDelete: (row: T) => boolean,
  ): Step<T>[] {
    const ours = (row: T) => this.#kind.ours(row) && mayDelete(row);
    return planByKey({ ...this.#kind, ours }, desired, observed);
  }

  async #apply(conn: Connection, steps: readonly Step<T>[], tally: Tally): Promise<void> {
    await applySteps(conn, steps, this.#messagesOf, tally, (step) => {
      this.#odd.delete(this.#kind.key(step.op === 'delete' ? step.observed : step.desired));
    });
  }
}
