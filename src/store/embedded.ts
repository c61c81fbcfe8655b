import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  Closer,
  DirectoryLock,
  Journal,
  type JournalDamage,
  type JournalOptions,
  StateError,
  messageOf,
} from '../util/index.js';
import { CommitQueue } from './embedded-commit.js';
import { parseRecord } from './embedded-record.js';
import { Table } from './embedded-table.js';
import { Watchers } from './embedded-watch.js';
import { StoreError } from './errors.js';
import { checkKey, checkOps, checkPrefix, checkTtl } from './limits.js';
import type {
  CallOptions,
  Entry,
  Lease,
  Op,
  Outcome,
  Snapshot,
  Store,
  WatchOptions,
} from './store.js';

const DEFAULT_TIMEOUT_MS = 10_000;

export interface EmbeddedOptions {
  /** Created with mode 0700 when absent; held exclusively while the store is open. */
  readonly dir: string;
  /** Hears what was wrong with the files, and where a corrupt one was put. The store then opens with what is good. */
  readonly onDamage?: (damage: JournalDamage) => void;
  /** Bound of one call; only a disk that hangs gets there. */
  readonly timeoutMs?: number;
  /** For tests: opens the journal's files. */
  readonly openFile?: JournalOptions['openFile'];
}

/**
 * The store of one host: everything in memory, every transaction in a journal on disk before it is acknowledged or seen.
 *
 * Concurrent transactions share one disk write. When the disk is full or fails, transactions throw UNAVAILABLE and change
 * nothing, reads go on, and writing works again when the disk does. Keys bound to a lease are never on disk: a restart
 * ends all leases.
 */
export class EmbeddedStore implements Store {
  readonly kind = 'embedded';
  readonly #table: Table;
  readonly #watchers: Watchers;
  readonly #queue: CommitQueue;
  readonly #closer: Closer;
  #closed = false;

  private constructor(
    table: Table,
    version: number,
    journal: Journal | undefined,
    closer: Closer,
    timeoutMs: number,
  ) {
    this.#table = table;
    this.#closer = closer;
    this.#watchers = new Watchers(table);
    this.#queue = new CommitQueue({
      table,
      version,
      timeoutMs,
      ...(journal ? { journal } : {}),
      onCommit: (keys) => this.#watchers.notify(keys),
    });
  }

  /** Opens or creates. Throws STORE_IN_USE while another daemon has the directory, and what the file system throws. */
  static async open(options: EmbeddedOptions): Promise<EmbeddedStore> {
    const { dir, onDamage, openFile, timeoutMs = DEFAULT_TIMEOUT_MS } = options;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const closer = new Closer();
    try {
      closer.use(await lockDirectory(dir));
      const table = new Table();
      let version = 0;
      const journal = await Journal.open({
        path: join(dir, 'store.journal'),
        replay: (text) => {
          const record = parseRecord(text);
          table.apply(record.changes);
          version = Math.max(version, record.version);
        },
        ...(onDamage ? { onDamage } : {}),
        ...(openFile ? { openFile } : {}),
      });
      closer.use(journal);
      return new EmbeddedStore(table, version, journal, closer, timeoutMs);
    } catch (error) {
      await closer.close();
      throw error;
    }
  }

  /** A store without a disk: the same code, for tests and for what needs no durability. */
  static memory(): EmbeddedStore {
    return new EmbeddedStore(new Table(), 0, undefined, new Closer(), DEFAULT_TIMEOUT_MS);
  }

  async get(key: string, options?: CallOptions): Promise<Entry | undefined> {
    this.#assertOpen(options);
    checkKey(this.kind, key);
    return this.#table.get(key)?.entry;
  }

  async list(prefix: string, options?: CallOptions): Promise<Entry[]> {
    this.#assertOpen(options);
    checkPrefix(this.kind, prefix);
    return [...this.#table.under(prefix)];
  }

  async absent(keys: readonly string[], options?: CallOptions): Promise<string[]> {
    this.#assertOpen(options);
    for (const key of keys) checkKey(this.kind, key);
    return keys.filter((key) => this.#table.get(key) === undefined);
  }

  async transact(ops: readonly Op[], options?: CallOptions): Promise<Outcome> {
    this.#assertOpen(options);
    checkOps(this.kind, ops);
    return this.#queue.transact(ops, options?.signal);
  }

  watch(prefix: string, options: WatchOptions): AsyncIterable<Snapshot> {
    this.#assertOpen();
    checkPrefix(this.kind, prefix);
    options.onState?.(true);
    return this.#watchers.watch(prefix, options.signal);
  }

  async lease(options: { readonly name: string; readonly ttlMs: number }): Promise<Lease> {
    this.#assertOpen();
    checkTtl(this.kind, options.ttlMs);
    const id = randomUUID();
    this.#queue.openLease(id);
    return {
      id,
      // This process holds the lease itself: it can't be lost while the process lives.
      lost: new AbortController().signal,
      [Symbol.asyncDispose]: async () => this.#queue.endLease(id),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#watchers.close();
    await this.#queue.idle();
    await this.#closer.close();
  }

  #assertOpen(options?: CallOptions): void {
    options?.signal?.throwIfAborted();
    if (this.#closed) {
      throw new StoreError({ code: 'STORE_CLOSED', store: this.kind }, 'the store is closed');
    }
  }
}

async function lockDirectory(directory: string): Promise<DirectoryLock> {
  try {
    return await DirectoryLock.acquire(directory);
  } catch (cause) {
    if (!(cause instanceof StateError && cause.detail.code === 'DIRECTORY_IN_USE')) throw cause;
    const { pid } = cause.detail;
    throw new StoreError(
      { code: 'STORE_IN_USE', store: 'embedded', directory, ...(pid === undefined ? {} : { pid }) },
      `the store's ${messageOf(cause)}`,
      { cause },
    );
  }
}
