import type { TransactionError } from './consul-reply.js';
import type { Op } from './store.js';

/** One operation as Consul's /v1/txn takes it. */
export interface KvOperation {
  readonly KV: {
    readonly Verb: 'set' | 'cas' | 'lock' | 'delete' | 'check-index' | 'check-not-exists';
    readonly Key: string;
    /** Base64. */
    readonly Value?: string;
    readonly Index?: number;
    readonly Session?: string;
  };
}

/** A transaction in Consul's words. */
export interface Batch {
  readonly operations: readonly KvOperation[];
  /** For each operation, the position of ours that it came from. */
  readonly owners: readonly number[];
}

/**
 * Our operations in Consul's words. What needs more than one: a delete on a version, for `delete-cas` takes an absent key for
 * deleted; a set with a lease on a version, for `lock` compares none.
 *
 * `takeOver`: keys bound to another session are deleted first, for `lock` leaves them alone. Not always, for a delete makes a
 * new version where nothing changed.
 */
export function toBatch(ops: readonly Op[], prefix: string, takeOver: boolean): Batch {
  const operations: KvOperation[] = [];
  const owners: number[] = [];
  for (const [owner, op] of ops.entries()) {
    for (const operation of toOperations(op, prefix + op.key, takeOver)) {
      operations.push({ KV: operation });
      owners.push(owner);
    }
  }
  return { operations, owners };
}

/** What became of a batch that Consul rolled back; `index` is that of our operation. */
export interface Rollback {
  /** `bound elsewhere`: a key that is to be bound is bound to another session; all else up to it holds. */
  readonly kind: 'conflict' | 'bound elsewhere' | 'lease lost';
  readonly index: number;
}

/** `first`: the first operation that failed. */
export function readRollback(batch: Batch, first: TransactionError): Rollback {
  const index = batch.owners[first.opIndex]!;
  if (batch.operations[first.opIndex]!.KV.Verb !== 'lock') return { kind: 'conflict', index };
  const lost = first.what.startsWith('invalid session');
  return { kind: lost ? 'lease lost' : 'bound elsewhere', index };
}

/** The keys that a batch gives a value. */
export function writtenBy(operations: readonly KvOperation[]): string[] {
  return operations.filter(({ KV }) => KV.Value !== undefined).map(({ KV }) => KV.Key);
}

function toOperations(op: Op, key: string, takeOver: boolean): KvOperation['KV'][] {
  const check = op.ifVersion === undefined ? [] : [toCheck(key, op.ifVersion)];
  const remove = { Verb: 'delete', Key: key } as const;
  if (op.op === 'check') return check;
  if (op.op === 'delete') return op.ifVersion === 0 ? check : [...check, remove];
  const value = { Key: key, Value: Buffer.from(op.value).toString('base64') };
  if (op.lease) {
    const lock = { Verb: 'lock', ...value, Session: op.lease.id } as const;
    return takeOver ? [...check, remove, lock] : [...check, lock];
  }
  return op.ifVersion === undefined
    ? [{ Verb: 'set', ...value }]
    : [{ Verb: 'cas', ...value, Index: op.ifVersion }];
}

function toCheck(key: string, version: number): KvOperation['KV'] {
  return version === 0
    ? { Verb: 'check-not-exists', Key: key }
    : { Verb: 'check-index', Key: key, Index: version };
}
