import { setMaxListeners } from 'node:events';
import { type Journal, messageOf } from '../util/index.js';
import { recordOf, snapshotRecords } from './embedded-record.js';
import { type Changes, type Evaluated, Stage, type Table } from './embedded-table.js';
import { StoreError } from './errors.js';
import type { Op, Outcome } from './store.js';

export interface CommitOptions {
  readonly table: Table;
  /** The latest version that was given. */
  readonly version: number;
  /** Absent: nothing is kept. */
  readonly journal?: Journal;
  readonly timeoutMs: number;
  /** Hears the keys of each commit, once the table has them. */
  readonly onCommit: (keys: Iterable<string>) => void;
}

/** Something that waits for its turn. */
interface Job {
  /** What it does on top of the stage, or the index of the operation that does not hold. May throw. */
  readonly evaluate: (stage: Stage, version: number) => Evaluated | number;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

interface LeaseState {
  readonly keys: Set<string>;
  ended: boolean;
}

/**
 * Takes transactions in order: evaluates all that wait, writes them to the journal in one go, then applies and answers
 * them. Nothing is seen, by readers or by later groups, before it is on disk; so memory and disk never disagree.
 */
export class CommitQueue {
  readonly #options: CommitOptions;
  readonly #leases = new Map<string, LeaseState>();
  #version: number;
  #jobs: Job[] = [];
  #running: Promise<void> | undefined;

  constructor(options: CommitOptions) {
    this.#options = options;
    this.#version = options.version;
  }

  async transact(ops: readonly Op[], signal?: AbortSignal): Promise<Outcome> {
    return new Promise<Outcome>((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      const job: Job = {
        evaluate: (stage, version) => this.#evaluate(ops, stage, version),
        resolve: (outcome) => {
          settle();
          resolve(outcome);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      };
      const giveUp = (error: unknown): void => {
        this.#jobs = this.#jobs.filter((waiting) => waiting !== job);
        job.reject(error);
      };
      const onAbort = (): void => giveUp(signal?.reason);
      const timer = setTimeout(
        () => giveUp(unavailable(new Error('the disk does not answer'))),
        this.#options.timeoutMs,
      );
      // One signal may well end more calls than the ten listeners that Node warns at.
      if (signal) setMaxListeners(0, signal);
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#enqueue(job);
    });
  }

  openLease(id: string): void {
    this.#leases.set(id, { keys: new Set(), ended: false });
  }

  /** Deletes the keys that are bound to the lease. Needs no disk, so it can't fail. */
  async endLease(id: string): Promise<void> {
    const lease = this.#leases.get(id);
    if (!lease || lease.ended) return;
    lease.ended = true;
    await new Promise<void>((resolve) => {
      const job: Job = {
        evaluate: (stage) => ({ changes: stage.boundTo(id, lease.keys), versions: new Map() }),
        resolve: () => {
          this.#leases.delete(id);
          resolve();
        },
        // It shared a group with a transaction that the disk refused: again, without that one.
        reject: () => this.#enqueue(job),
      };
      this.#enqueue(job);
    });
  }

  /** Resolves when no transaction waits or is under way. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  #enqueue(job: Job): void {
    this.#jobs.push(job);
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    // One turn later, so that transactions of the same turn share a write.
    await Promise.resolve();
    while (this.#jobs.length > 0) {
      const jobs = this.#jobs;
      this.#jobs = [];
      await this.#commit(jobs);
    }
    this.#running = undefined;
  }

  async #commit(jobs: readonly Job[]): Promise<void> {
    const stage = new Stage(this.#options.table);
    const records: string[] = [];
    const answers: (() => void)[] = [];
    let version = this.#version;
    for (const job of jobs) {
      try {
        const result = job.evaluate(stage, version + 1);
        if (typeof result === 'number') {
          answers.push(() => job.resolve({ ok: false, index: result }));
          continue;
        }
        const { changes, versions } = result;
        if (changes.size > 0) version += 1;
        const record = recordOf(changes, version, (key) => stage.get(key));
        if (record !== undefined) records.push(record);
        stage.add(changes);
        answers.push(() => job.resolve({ ok: true, versions }));
      } catch (error) {
        answers.push(() => job.reject(error));
      }
    }
    try {
      await this.#write(records);
    } catch (error) {
      for (const job of jobs) job.reject(unavailable(error));
      return;
    }
    this.#version = version;
    this.#apply(stage.changes);
    for (const answer of answers) answer();
  }

  #evaluate(ops: readonly Op[], stage: Stage, version: number): Evaluated | number {
    for (const op of ops) {
      if (op.op !== 'set' || !op.lease) continue;
      const { id } = op.lease;
      if (this.#leases.get(id)?.ended !== false) throw leaseLost(op.key, id);
    }
    return stage.evaluate(ops, version);
  }

  async #write(records: readonly string[]): Promise<void> {
    const { journal, table } = this.#options;
    if (!journal || records.length === 0) return;
    if (journal.wantsRewrite) {
      try {
        await journal.rewrite(snapshotRecords(table, this.#version));
      } catch (error) {
        // A journal that is only long goes on; one that is broken can't.
        if (journal.isBroken) throw error;
      }
    }
    await journal.append(records);
  }

  #apply(changes: Changes): void {
    const { table, onCommit } = this.#options;
    for (const [key, row] of changes) {
      const before = table.get(key)?.lease;
      if (before !== undefined) this.#leases.get(before)?.keys.delete(key);
      if (row?.lease !== undefined) this.#leases.get(row.lease)?.keys.add(key);
    }
    table.apply(changes);
    onCommit(changes.keys());
  }
}

function unavailable(cause: unknown): StoreError {
  return new StoreError(
    { code: 'UNAVAILABLE', store: 'embedded' },
    `the embedded store could not write: ${messageOf(cause)}`,
    { cause },
  );
}

function leaseLost(key: string, lease: string): StoreError {
  return new StoreError(
    { code: 'LEASE_LOST', store: 'embedded', lease },
    `${key} was not written: its lease has ended`,
  );
}
