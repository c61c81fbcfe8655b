import { setMaxListeners } from 'node:events';
import type { Table } from './embedded-table.js';
import type { Entry, Snapshot } from './store.js';

/** One watch: what its consumer has seen, and which keys changed since. */
class Watcher {
  readonly prefix: string;
  readonly #table: Table;
  readonly #seen = new Map<string, Entry>();
  readonly #pending = new Set<string>();
  #first = true;
  #wake: (() => void) | undefined;

  constructor(table: Table, prefix: string) {
    this.#table = table;
    this.prefix = prefix;
  }

  mark(key: string): void {
    if (!this.#first) this.#pending.add(key);
  }

  wake(): void {
    this.#wake?.();
  }

  /** The next snapshot, when there is something to tell. */
  take(): Snapshot | undefined {
    const changed = this.#first ? this.#takeAll() : this.#takePending();
    if (changed.size === 0 && !this.#first) return undefined;
    this.#first = false;
    return { entries: this.#seen, changed };
  }

  /** Resolves at the next {@link wake}. */
  async woken(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
  }

  #takeAll(): Set<string> {
    for (const entry of this.#table.under(this.prefix)) this.#seen.set(entry.key, entry);
    return new Set(this.#seen.keys());
  }

  #takePending(): Set<string> {
    const changed = new Set<string>();
    for (const key of this.#pending) {
      const entry = this.#table.get(key)?.entry;
      if (entry?.version === this.#seen.get(key)?.version) continue;
      if (entry) this.#seen.set(key, entry);
      else this.#seen.delete(key);
      changed.add(key);
    }
    this.#pending.clear();
    return changed;
  }
}

/** The embedded store's watches. */
export class Watchers {
  readonly #table: Table;
  readonly #watchers = new Set<Watcher>();
  #closed = false;

  constructor(table: Table) {
    this.#table = table;
  }

  /** Tells every watch of keys that have just changed in the table. */
  notify(keys: Iterable<string>): void {
    const woken = new Set<Watcher>();
    for (const key of keys) {
      for (const watcher of this.#watchers) {
        if (!key.startsWith(watcher.prefix)) continue;
        watcher.mark(key);
        woken.add(watcher);
      }
    }
    for (const watcher of woken) watcher.wake();
  }

  async *watch(prefix: string, signal: AbortSignal): AsyncGenerator<Snapshot, void> {
    const watcher = new Watcher(this.#table, prefix);
    const wake = (): void => watcher.wake();
    // One signal may well end more watches than the ten listeners that Node warns at.
    setMaxListeners(0, signal);
    signal.addEventListener('abort', wake);
    this.#watchers.add(watcher);
    try {
      while (!signal.aborted && !this.#closed) {
        const snapshot = watcher.take();
        if (snapshot) yield snapshot;
        else await watcher.woken();
      }
    } finally {
      this.#watchers.delete(watcher);
      signal.removeEventListener('abort', wake);
    }
  }

  /** Ends every watch. */
  close(): void {
    this.#closed = true;
    for (const watcher of this.#watchers) watcher.wake();
  }
}
