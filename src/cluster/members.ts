import { setTimeout as delay } from 'node:timers/promises';
import type { Entry, Op, Store } from '../store/index.js';
import { DocumentSet } from './document-set.js';
import {
  type HostDocument,
  type MemberDocument,
  type Removal,
  format,
  keys,
  parseAway,
  parseMember,
} from './documents.js';
import { ambiguousHost, hostLive, unknownHost } from './errors.js';
import { FencedStore } from './fence.js';

/** How often a host looks for members that are gone. */
const SWEEP_MS = 15_000;
/** Who frees a host is done in seconds; whoever is not after this long has died. */
const FREEING_MS = 30_000;
/** Whatever the clocks say, a host is removed only after it was missed here for this long, or the grace if that is less. */
const MISSED_MS = 300_000;
/** A removed machine that is switched on again after this long is a new one. */
const TOMBSTONE_MS = 90 * 86_400_000;

export interface MembersOptions {
  /** The fenced store: a host that was removed removes nobody. */
  readonly store: Store;
  readonly self: { readonly id: string; readonly name: string };
  /** Hosts that are alive, as far as this one knows. */
  readonly live: () => readonly HostDocument[];
  /** True while this host is announced and knows who else is. */
  readonly mayJudge: () => boolean;
  /** How long after its lease a host keeps what it has. */
  readonly graceMs: number;
  /** Gives back what a host has; every write through `store` ends when somebody else takes over. Repeated until it succeeds. */
  readonly free: (host: string, store: Store, signal: AbortSignal) => Promise<void>;
  readonly onRemoved: (member: MemberDocument, why: 'grace' | 'command') => void;
  readonly onError: (error: unknown) => void;
  readonly onDamage: (key: string) => void;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
  /** Steady milliseconds. */
  readonly uptime?: () => number;
}

type Gone = MemberDocument & { readonly removed: Removal };

/**
 * Who belongs to the cluster, alive or not, and the end of those who do not come back.
 *
 * A removal is one transaction that only one host can win: the member is not announced, and its document becomes a tombstone,
 * which stops every write that the member may still try. What it had is freed afterwards, by the winner, or by another
 * once the winner is silent.
 */
export class Members implements AsyncDisposable {
  readonly #options: MembersOptions;
  readonly #clock: () => number;
  readonly #uptime: () => number;
  readonly #aborter = new AbortController();
  readonly #documents: DocumentSet<MemberDocument>;
  /** Since when this host misses a member, steady. */
  readonly #missed = new Map<string, number>();
  /** When this host first saw a tombstone whose owner's things are not free yet, steady. */
  readonly #unfreed = new Map<string, { readonly at: string; readonly since: number }>();
  #loops: Promise<void>[] = [];

  constructor(options: MembersOptions) {
    this.#options = options;
    this.#clock = options.clock ?? Date.now;
    this.#uptime = options.uptime ?? (() => performance.now());
    this.#documents = new DocumentSet(parseMember, ({ id }) => keys.member(id), options.onDamage);
  }

  start(): void {
    this.#loops = [this.#watch(), this.#sweeps()];
  }

  /** All members as last seen, and tombstones. */
  all(): MemberDocument[] {
    return this.#documents.values();
  }

  /** Since when a member is missed, as this host has seen it, steady milliseconds ago. */
  missedMs(id: string): number | undefined {
    const since = this.#missed.get(id);
    return since === undefined ? undefined : this.#uptime() - since;
  }

  /**
   * Removes a host that is away and frees what it had; done when all of it is free. Removing one that was removed completes
   * that. Throws UNKNOWN_HOST, AMBIGUOUS_HOST, HOST_LIVE.
   */
  async remove(nameOrId: string, signal: AbortSignal): Promise<MemberDocument> {
    const member = await this.#find(nameOrId, signal);
    const tombstone = member.removed
      ? ({ ...member, removed: member.removed } satisfies Gone)
      : await this.#bury(member.id, 'command', signal);
    if (!tombstone) throw hostLive(member.name);
    if (!tombstone.removed.freed) await this.#freed(tombstone, signal);
    return tombstone;
  }

  /** One look: marks who is missed, removes whose grace is over, completes what others began. */
  async sweep(): Promise<void> {
    const { signal } = this.#aborter;
    if (!this.#options.mayJudge()) {
      this.#missed.clear();
      return;
    }
    const live = new Set(this.#options.live().map(({ id }) => id));
    for (const member of this.#documents.values()) {
      if (live.has(member.id) || member.id === this.#options.self.id) {
        this.#missed.delete(member.id);
      } else if (member.removed) {
        await this.#tend({ ...member, removed: member.removed }, signal);
      } else {
        await this.#miss(member, signal);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    await Promise.all(this.#loops);
  }

  async #watch(): Promise<void> {
    const { signal } = this.#aborter;
    for await (const snapshot of this.#options.store.watch(keys.members, { signal })) {
      for await (const _ of this.#documents.apply(snapshot));
    }
  }

  async #sweeps(): Promise<void> {
    const { signal } = this.#aborter;
    const everyMs = Math.min(SWEEP_MS, Math.max(1000, this.#options.graceMs / 4));
    while (!signal.aborted) {
      // Each host at a time of its own.
      const waitMs = everyMs * (0.5 + Math.random() / 2);
      await delay(waitMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await this.sweep();
      } catch (error) {
        if (!signal.aborted) this.#options.onError(error);
      }
    }
  }

  async #miss({ id }: MemberDocument, signal: AbortSignal): Promise<void> {
    const { store, graceMs } = this.#options;
    const missedSince = this.#missed.get(id) ?? this.#uptime();
    this.#missed.set(id, missedSince);
    const mark = await store.get(keys.away(id), { signal });
    const since = mark && parseAway(mark.value);
    if (since === undefined) {
      const value = format({ since: this.#clock() });
      await store.transact(
        [
          { op: 'check', key: keys.host(id), ifVersion: 0 },
          { op: 'set', key: keys.away(id), value, ifVersion: mark?.version ?? 0 },
        ],
        { signal },
      );
      return;
    }
    const isOver = this.#clock() - since >= graceMs;
    const missedMs = this.#uptime() - missedSince;
    if (!isOver || missedMs < Math.min(MISSED_MS, graceMs)) return;
    // Another's to free if another was first; `#tend` sees to it that somebody does.
    if (await this.#bury(id, 'grace', signal)) await this.#free(id, signal);
  }

  /** Makes a member that is not announced a tombstone, or finds that somebody else did. Undefined: it is alive. */
  async #bury(
    id: string,
    why: 'grace' | 'command',
    signal: AbortSignal,
  ): Promise<Gone | undefined> {
    const { store, self, onRemoved } = this.#options;
    const entry = await store.get(keys.member(id), { signal });
    const member = entry && parseMember(entry.value);
    if (!entry || !member) throw unknownHost(id);
    if (member.removed) return { ...member, removed: member.removed };
    const removed = {
      at: new Date(this.#clock()).toISOString(),
      by: self.id,
      byName: self.name,
      freed: false,
    };
    const tombstone: Gone = { ...member, removed };
    const outcome = await store.transact(
      [
        { op: 'check', key: keys.host(id), ifVersion: 0 },
        replace(entry, tombstone),
        { op: 'delete', key: keys.away(id) },
      ],
      { signal },
    );
    if (!outcome.ok) return outcome.index === 0 ? undefined : this.#bury(id, why, signal);
    onRemoved(member, why);
    return tombstone;
  }

  /** Frees what a tombstone's owner had when that is this host's work, else waits until it is done. */
  async #freed(tombstone: Gone, signal: AbortSignal): Promise<void> {
    const { store, self } = this.#options;
    const { id } = tombstone;
    if (tombstone.removed.by === self.id) return this.#free(id, signal);
    for await (const { entries } of store.watch(keys.member(id), { signal })) {
      const entry = entries.get(keys.member(id));
      const now = entry && parseMember(entry.value);
      if (!now?.removed || now.removed.freed) return;
    }
    signal.throwIfAborted();
  }

  async #free(id: string, signal: AbortSignal): Promise<void> {
    const { store, self, free } = this.#options;
    const key = keys.member(id);
    const entry = await store.get(key, { signal });
    const member = entry && parseMember(entry.value);
    if (!entry || !member?.removed || member.removed.freed) return;
    if (member.removed.by !== self.id) return;
    const resting = new FencedStore(store, {
      key,
      version: async () => entry.version,
      broken: () => new Error(`host ${member.name} is another's to free, or has come back`),
    });
    await free(id, resting, signal);
    const done = { ...member, removed: { ...member.removed, freed: true } };
    await store.transact([replace(entry, done)], { signal });
  }

  /** Completes a removal whose winner is silent, and forgets old ones. */
  async #tend({ id, removed }: Gone, signal: AbortSignal): Promise<void> {
    const { store, self } = this.#options;
    this.#missed.delete(id);
    const isOld = this.#clock() - Date.parse(removed.at) > TOMBSTONE_MS;
    if (removed.freed && !isOld) return;
    const entry = await store.get(keys.member(id), { signal });
    const member = entry && parseMember(entry.value);
    if (!entry || !member?.removed) return;
    if (member.removed.freed) {
      const { key, version: ifVersion } = entry;
      if (isOld) await store.transact([{ op: 'delete', key, ifVersion }], { signal });
      return;
    }
    if (member.removed.by !== self.id) {
      const { at } = member.removed;
      const known = this.#unfreed.get(id);
      const since = known?.at === at ? known.since : this.#uptime();
      this.#unfreed.set(id, { at, since });
      if (this.#uptime() - since < FREEING_MS) return;
      const taken = { at: new Date(this.#clock()).toISOString(), by: self.id, byName: self.name };
      const mine = { ...member, removed: { ...member.removed, ...taken } };
      if (!(await store.transact([replace(entry, mine)], { signal })).ok) return;
    }
    await this.#free(id, signal);
    this.#unfreed.delete(id);
  }

  async #find(nameOrId: string, signal: AbortSignal): Promise<MemberDocument> {
    const entries = await this.#options.store.list(keys.members, { signal });
    const members = entries.flatMap(({ value }) => parseMember(value) ?? []);
    const byId = members.find(({ id }) => id === nameOrId);
    if (byId) return byId;
    const named = members.filter(({ name }) => name === nameOrId);
    const live = new Set(this.#options.live().map(({ id }) => id));
    const away = named.filter(({ id, removed }) => !removed && !live.has(id));
    const unfreed = named.filter(({ removed }) => removed && !removed.freed);
    const found = away.length > 0 ? away : unfreed;
    if (found.length > 1) {
      const ids = found.map(({ id }) => id);
      throw ambiguousHost(nameOrId, ids);
    }
    if (found[0]) return found[0];
    if (named.some(({ removed }) => !removed)) throw hostLive(nameOrId);
    throw unknownHost(nameOrId);
  }
}

function replace({ key, version }: Entry, document: MemberDocument): Op {
  return { op: 'set', key, value: format(document), ifVersion: version };
}
