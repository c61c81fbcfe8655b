import type { Connection, Message } from '../netlink/index.js';
import { type Kind, type Step, byKey, planByKey } from '../reconcile/index.js';
import { type Tally, applySteps } from './tally.js';

/**
 * One sort of row in the kernel: what is desired, and what was last seen or done there. With both known, a change costs
 * only its own messages; a dump now and then corrects what others did in between.
 */
export class Table<T> {
  readonly #kind: Kind<T>;
  readonly #messagesOf: (step: Step<T>) => readonly Message[];
  #desired = new Map<string, T>();
  #observed = new Map<string, T>();

  constructor(kind: Kind<T>, messagesOf: (step: Step<T>) => readonly Message[]) {
    this.#kind = kind;
    this.#messagesOf = messagesOf;
  }

  /** Takes in a dump. What is as desired is kept as the desired object, under its key: one of each in memory, not two. */
  observe(rows: Iterable<T>): void {
    this.#observed = new Map();
    for (const row of rows) {
      const key = this.#kind.key(row);
      const desired = this.#desired.get(key);
      const isSame = desired !== undefined && this.#kind.same(desired, row);
      if (isSame) this.#observed.set(this.#kind.key(desired), desired);
      else this.#observed.set(key, row);
    }
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
    return this.#observed.get(this.#kind.key(row));
  }

  /** Makes these rows all that is desired. `mayDelete` says which others go. */
  async set(
    conn: Connection,
    rows: readonly T[],
    mayDelete: (row: T) => boolean,
    tally: Tally,
  ): Promise<void> {
    this.#desired = byKey(this.#kind, rows);
    const ours = (row: T) => this.#kind.ours(row) && mayDelete(row);
    const steps = planByKey({ ...this.#kind, ours }, this.#desired, this.#observed);
    await this.#apply(conn, steps, tally);
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
    const observed = new Map<string, T>();
    for (const key of keys) {
      const [wanted, there] = [desired.get(key), this.#observed.get(key)];
      if (wanted === undefined) this.#desired.delete(key);
      else this.#desired.set(key, wanted);
      if (there !== undefined) observed.set(key, there);
    }
    const ours = (row: T) => this.#kind.ours(row) && mayDelete(row);
    await this.#apply(conn, planByKey({ ...this.#kind, ours }, desired, observed), tally);
  }

  /** Makes these rows desired too. */
  async put(conn: Connection, rows: readonly T[], tally: Tally): Promise<void> {
    const added = byKey(this.#kind, rows);
    for (const [key, row] of added) this.#desired.set(key, row);
    const steps = planByKey({ ...this.#kind, ours: () => false }, added, this.#observed);
    await this.#apply(conn, steps, tally);
  }

  /** Makes these rows undesired and deletes them, seen or not: one may have come of an exchange that broke off. */
  async remove(conn: Connection, rows: readonly T[], tally: Tally): Promise<void> {
    for (const row of rows) this.#desired.delete(this.#kind.key(row));
    const steps = rows.map(
      (row) => ({ op: 'delete', observed: this.observed(row) ?? row }) as const,
    );
    await this.#apply(conn, steps, tally);
  }

  /** Makes these rows undesired; they are gone with their link. */
  forget(rows: readonly T[]): void {
    for (const row of rows) {
      this.#desired.delete(this.#kind.key(row));
      this.#observed.delete(this.#kind.key(row));
    }
  }

  /** Whether news of the kernel's is what we want anyway: our own doing, or nobody's concern. */
  agrees(row: T, isGone: boolean): boolean {
    const wanted = this.#desired.get(this.#kind.key(row));
    if (wanted === undefined) return isGone || !this.#kind.ours(row);
    return !isGone && this.#kind.same(wanted, row);
  }

  async #apply(conn: Connection, steps: readonly Step<T>[], tally: Tally): Promise<void> {
    await applySteps(conn, steps, this.#messagesOf, tally, (step) => {
      if (step.op === 'delete') this.#observed.delete(this.#kind.key(step.observed));
      else this.#observed.set(this.#kind.key(step.desired), step.desired);
    });
  }
}
