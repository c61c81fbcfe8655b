import { UnreadableReply } from './consul-errors.js';
import type { Reply } from './consul-http.js';
import type { Entry } from './store.js';

export interface Listing {
  /** With the store's prefix taken off, ordered by key. */
  readonly entries: readonly Entry[];
  /** Of the reply, for the next blocking query; at least 1. */
  readonly index: number;
  /** Characters of all keys and values: what the reply costs to move and read. */
  readonly size: number;
}

/** A transaction's errors by position in what was sent. */
export interface TransactionError {
  readonly opIndex: number;
  readonly what: string;
}

/**
 * The entries of a KV read. Throws UnreadableReply for anything else: a proxy's page with status 200 or 404 must never
 * pass for an empty store.
 */
export function readListing(reply: Reply, prefix: string): Listing {
  const index = readIndex(reply.headers['x-consul-index']);
  if (index === undefined) throw new UnreadableReply('a reply that is not from a key-value store');
  if (reply.status === 404) return { entries: [], index, size: 0 };
  if (!Array.isArray(reply.payload) || reply.payload.length === 0) {
    throw new UnreadableReply('something that is not a list of keys');
  }
  const entries = reply.payload.map((item: unknown) => readEntry(item, prefix));
  // Consul orders octets, we order UTF-16; for nearly all keys that is the same, and the sort then a single pass.
  entries.sort((a, b) => (a.key < b.key ? -1 : 1));
  let size = 0;
  for (const [i, { key, value }] of entries.entries()) {
    if (entries[i - 1]?.key === key) throw new UnreadableReply(`${key} twice`);
    size += key.length + value.length;
  }
  return { entries, index, size };
}

/** The index of a reply that lists the names of keys. Throws UnreadableReply for anything else. */
export function readKeysIndex({ headers, status, payload }: Reply): number {
  const index = readIndex(headers['x-consul-index']);
  if (index !== undefined && (status === 404 || Array.isArray(payload))) return index;
  throw new UnreadableReply('something that is not a list of names');
}

/**
 * The index to wait on next, or 0 to start over with a full read: an index that went back means that Consul lost or replaced
 * its state, and what we know may be of another life.
 */
export function nextIndex(waitedOn: number, answered: number): number {
  return answered < waitedOn ? 0 : answered;
}

/** The id of a session that was made. */
export function readSessionId(payload: unknown): string {
  const id = fieldOf(payload, 'ID');
  if (typeof id !== 'string' || id === '') throw new UnreadableReply('no session id');
  return id;
}

/** Versions by full key of what a transaction wrote; `written` are the keys that it must name. */
export function readVersions(payload: unknown, written: readonly string[]): Map<string, number> {
  const results = fieldOf(payload, 'Results');
  if (!Array.isArray(results)) throw new UnreadableReply('no results of the transaction');
  const versions = new Map<string, number>();
  for (const result of results) {
    const kv = fieldOf(result, 'KV');
    const key = fieldOf(kv, 'Key');
    if (typeof key !== 'string') throw new UnreadableReply('a result without its key');
    versions.set(key, readVersion(kv));
  }
  const missing = written.find((key) => !versions.has(key));
  if (missing !== undefined) throw new UnreadableReply(`no version of ${missing}`);
  return versions;
}

/** The errors of a transaction of `count` operations that Consul rolled back, in their order; one at least. */
export function readTransactionErrors(payload: unknown, count: number): TransactionError[] {
  const list = fieldOf(payload, 'Errors');
  if (!Array.isArray(list) || list.length === 0) {
    throw new UnreadableReply('a conflict without its reason');
  }
  const errors = list.map((item: unknown) => {
    const opIndex = fieldOf(item, 'OpIndex');
    const what = fieldOf(item, 'What');
    if (!isPosition(opIndex, count) || typeof what !== 'string') {
      throw new UnreadableReply('a conflict without its reason');
    }
    return { opIndex, what };
  });
  return errors.sort((a, b) => a.opIndex - b.opIndex);
}

function readEntry(item: unknown, prefix: string): Entry {
  const key = fieldOf(item, 'Key');
  const value = fieldOf(item, 'Value');
  if (typeof key !== 'string' || !key.startsWith(prefix)) {
    throw new UnreadableReply('a key that was not asked for');
  }
  if (value !== null && typeof value !== 'string') throw new UnreadableReply(`no value of ${key}`);
  return {
    key: key.slice(prefix.length),
    value: value === null ? '' : Buffer.from(value, 'base64').toString(),
    version: readVersion(item),
  };
}

function readVersion(item: unknown): number {
  const version = fieldOf(item, 'ModifyIndex');
  if (!Number.isSafeInteger(version) || (version as number) < 1) {
    throw new UnreadableReply('a key without its version');
  }
  return version as number;
}

/** Consul's rule: an index below 1 is a bug of the server, to be taken as 1, so that the next query still waits. */
function readIndex(header: unknown): number | undefined {
  if (typeof header !== 'string' || !/^\d{1,20}$/u.test(header)) return undefined;
  return Math.max(1, Number(header));
}

function isPosition(value: unknown, count: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < count;
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
