import type { Entry, Op } from './store.js';

/** One key as the embedded store holds it. */
export interface Row {
  readonly entry: Entry;
  /** Id of the lease that it goes away with; such rows are never on disk. */
  readonly lease?: string;
}

/** Keys and what they become; undefined: deleted. */
export type Changes = Map<string, Row | undefined>;

/** What a transaction does that holds. */
export interface Evaluated {
  readonly changes: Changes;
  /** Of the keys that it sets. */
  readonly versions: ReadonlyMap<string, number>;
}

/** The committed state in memory: rows by key, keys in order. */
export class Table {
  readonly #rows = new Map<string, Row>();
  readonly #keys: string[] = [];

  get(key: string): Row | undefined {
    return this.#rows.get(key);
  }

  get size(): number {
    return this.#rows.size;
  }

  /** Entries whose key starts with `prefix`, in order. */
  *under(prefix: string): Iterable<Entry> {
    for (let i = this.#indexOf(prefix); i < this.#keys.length; i += 1) {
      const key = this.#keys[i]!;
      if (!key.startsWith(prefix)) return;
      yield this.#rows.get(key)!.entry;
    }
  }

  apply(changes: Changes): void {
    for (const [key, row] of changes) {
      const known = this.#rows.has(key);
      if (row) {
        this.#rows.set(key, row);
        if (!known) this.#keys.splice(this.#indexOf(key), 0, key);
      } else if (known) {
        this.#rows.delete(key);
        this.#keys.splice(this.#indexOf(key), 1);
      }
    }
  }

  *rows(): Iterable<Row> {
    yield* this.#rows.values();
  }

  /** Where `key` is or would be. */
  #indexOf(key: string): number {
    let low = 0;
    let high = this.#keys.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#keys[middle]! < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/**
 * Transactions evaluated one after another on top of a table, not yet part of it: what becomes one write to the disk.
 */
export class Stage {
  readonly changes: Changes = new Map();
  readonly #table: Table;

  constructor(table: Table) {
    this.#table = table;
  }

  get(key: string): Row | undefined {
    return this.changes.has(key) ? this.changes.get(key) : this.#table.get(key);
  }

  /** What the operations do as `version`, nothing of it staged yet; or the index of the first that does not hold. */
  evaluate(ops: readonly Op[], version: number): Evaluated | number {
    const changes: Changes = new Map();
    const versions = new Map<string, number>();
    for (const [index, op] of ops.entries()) {
      const row = this.get(op.key);
      const present = row?.entry.version ?? 0;
      if (op.ifVersion !== undefined && op.ifVersion !== present) return index;
      if (op.op === 'set') {
        const lease = op.lease?.id ?? row?.lease;
        const same = row && row.entry.value === op.value && row.lease === lease;
        versions.set(op.key, same ? present : version);
        if (same) continue;
        const entry: Entry = { key: op.key, value: op.value, version };
        changes.set(op.key, lease === undefined ? { entry } : { entry, lease });
      } else if (op.op === 'delete' && row) {
        changes.set(op.key, undefined);
      }
    }
    return { changes, versions };
  }

  /** What goes away with a lease: of the keys that the table has bound to it, and of those just staged. */
  boundTo(lease: string, keys: Iterable<string>): Changes {
    const bound = [...keys, ...this.changes.keys()].filter((key) => this.get(key)?.lease === lease);
    return new Map(bound.map((key) => [key, undefined]));
  }

  add(changes: Changes): void {
    for (const [key, row] of changes) this.changes.set(key, row);
  }
}
