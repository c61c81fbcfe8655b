import { setTimeout as delay } from 'node:timers/promises';
import { type Entry, type Lease, type Op, type Store, StoreError } from '../store/index.js';
import { Backoff } from '../util/index.js';
import {
  type HostDocument,
  type MemberDocument,
  format,
  keys,
  parseClaim,
  parseHost,
  parseMember,
} from './documents.js';
import { ClusterError, hostIdTaken, hostRemoved, vtepTaken } from './errors.js';
import { Standing } from './fence.js';
import { assertNotNewer, markLayout } from './layout.js';

/** Consul's floor; it takes up to twice as long to end a lease, so a dead host is hidden after 10 to 20 s. */
const LEASE_MS = 10_000;

/** Quick after a leader election; slow when the store stays away, or two hosts take something from each other. */
const RETRY = { minMs: 200, maxMs: 10_000 };

/** Something else each time that often is no bad luck. */
const MAX_LOOKS = 5;

/** How soon a removed host looks again whether it may join. */
const REMOVED_RETRY_MS = 1000;

/** An announcement that held for this long was a good one: the next failure begins with short waits again. */
const SETTLED_MS = 30_000;

export type AnnounceState =
  | { readonly kind: 'starting' }
  | { readonly kind: 'announced' }
  | { readonly kind: 'failed'; readonly error: unknown };

/** What an announcement rests on. */
interface Ground {
  readonly vtep: Entry | undefined;
  readonly announced: Entry | undefined;
  readonly membership: Entry | undefined;
  /** The step that is about the membership. */
  readonly member: Op;
  /** Those that are about the layout's marker. */
  readonly layout: readonly Op[];
}

export interface AnnouncerOptions {
  readonly onState: (state: AnnounceState) => void;
  /** Hears whether this host may write. */
  readonly standing?: Standing;
  /** Containers here whose addresses came from the cluster: while there are any, a removed host does not join again. */
  readonly inUse?: () => readonly string[];
  /** Called before a removed host joins again: what it had is gone. */
  readonly onRejoin?: () => Promise<void>;
}

/**
 * Keeps this host's document in the store for as long as the daemon runs, under a lease: when the host dies, it goes away by itself.
 *
 * A lost lease is taken again, a document that somebody deletes is put back, and a new one replaces the old one without a
 * gap. The underlay address is claimed under the same lease, so two live hosts can't announce one address, and the id
 * together with the host's instance, so a copy of a live host can't either. A host that was removed is refused until nothing
 * of it is in use. Closing leaves the document to its lease: a daemon that restarts in time was never gone.
 */
export class HostAnnouncer implements AsyncDisposable {
  readonly #store: Store;
  readonly #options: AnnouncerOptions;
  readonly #standing: Standing;
  readonly #aborter = new AbortController();
  #document: HostDocument;
  #changed = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #isAnnounced = false;

  /** `store` is not a fenced one: what is announced is what others rest on. */
  constructor(store: Store, document: HostDocument, options: AnnouncerOptions) {
    this.#store = store;
    this.#document = document;
    this.#options = options;
    this.#standing = options.standing ?? new Standing(keys.member(document.id), store.kind);
    this.#standing.onDoubt = () => this.#changed.abort();
    this.#standing.onReachable = () => {
      if (!this.#isAnnounced) this.#changed.abort();
    };
  }

  start(): void {
    this.#loop = this.#run();
  }

  /** True while the store has what is announced, as far as this host knows. */
  get isAnnounced(): boolean {
    return this.#isAnnounced;
  }

  /** Announces something else from now on, e.g. after the underlay's address changed. */
  update(document: HostDocument): void {
    this.#document = document;
    this.#changed.abort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborter.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { signal } = this.#aborter;
    const backoff = new Backoff(RETRY);
    let held: Lease | undefined;
    this.#options.onState({ kind: 'starting' });
    while (!signal.aborted) {
      this.#changed = new AbortController();
      const interrupted = AbortSignal.any([this.#changed.signal, signal]);
      const document = this.#document;
      const begin = performance.now();
      let lease: Lease | undefined;
      try {
        const ground = await this.#survey(document);
        lease = await this.#store.lease({ name: `weft ${document.name}`, ttlMs: LEASE_MS });
        const version = await this.#claim(document, ground, lease);
        // Only now: the document moved to the new lease without having been away.
        await release(held);
        held = lease;
        this.#isAnnounced = true;
        this.#standing.admit(version);
        this.#options.onState({ kind: 'announced' });
        await this.#untilStale(document, AbortSignal.any([interrupted, lease.lost]));
        this.#isAnnounced = false;
      } catch (error) {
        this.#isAnnounced = false;
        if (lease !== held) await release(lease);
        this.#judge(error);
        this.#options.onState({ kind: 'failed', error });
      }
      if (performance.now() - begin > SETTLED_MS) backoff.reset();
      else await this.#pause(backoff, interrupted);
    }
  }

  /** What an attempt that failed says of this host's membership. */
  #judge(error: unknown): void {
    if (!(error instanceof ClusterError)) this.#standing.failed(error);
    else if (error.code !== 'VTEP_TAKEN' || !this.#standing.isMember) this.#standing.refuse(error);
  }

  async #pause(backoff: Backoff, interrupted: AbortSignal): Promise<void> {
    const isRemoved = this.#standing.refusal?.code === 'HOST_REMOVED';
    const wait = isRemoved
      ? delay(REMOVED_RETRY_MS, undefined, { signal: interrupted })
      : backoff.wait(interrupted);
    await wait.catch(() => undefined);
  }

  /** What is there of this host. Throws VTEP_TAKEN, HOST_ID_TAKEN, HOST_REMOVED, LAYOUT_NEWER. */
  async #survey(document: HostDocument): Promise<Ground> {
    const [vtep, announced, membership, marker] = await Promise.all([
      this.#store.get(keys.vtep(document.vtep)),
      this.#store.get(keys.host(document.id)),
      this.#store.get(keys.member(document.id)),
      this.#store.get(keys.layout),
    ]);
    const layout = markLayout(marker);
    if (membership) assertNotNewer(membership);
    assertNoCopy(document, announced);
    const owner = vtep && parseClaim(vtep.value);
    if (owner !== undefined && owner !== document.id) throw await this.#taken(document, owner);
    const member = await this.#membership(document, membership);
    return { vtep, announced, membership, member, layout };
  }

  /** Answers the version of the membership. */
  async #claim(
    document: HostDocument,
    ground: Ground,
    lease: Lease,
    looks = MAX_LOOKS,
  ): Promise<number> {
    const { vtep, announced, membership, member, layout } = ground;
    const { id } = document;
    const outcome = await this.#store.transact([
      {
        op: 'set',
        key: keys.vtep(document.vtep),
        value: format({ owner: id }),
        ifVersion: vtep?.version ?? 0,
        lease,
      },
      {
        op: 'set',
        key: keys.host(id),
        value: format(document),
        ifVersion: announced?.version ?? 0,
        lease,
      },
      member,
      { op: 'delete', key: keys.away(id) },
      ...layout,
    ]);
    if (outcome.ok) return outcome.versions.get(member.key) ?? membership!.version;
    if (outcome.index === 0) throw await this.#taken(document, 'another host');
    // Somebody announced or removed this id just now: the next look tells.
    if (looks === 1) throw this.#contended(id);
    return this.#claim(document, await this.#survey(document), lease, looks - 1);
  }

  #contended(id: string): StoreError {
    return new StoreError(
      { code: 'UNAVAILABLE', store: this.#store.kind },
      `what the store has of host ${id} was another at each of ${MAX_LOOKS} looks`,
    );
  }

  /** The step of a claim that is about the membership. Throws HOST_REMOVED. */
  async #membership(
    { id, name, instance = '-' }: HostDocument,
    entry: Entry | undefined,
  ): Promise<Op> {
    const key = keys.member(id);
    const known = entry && parseMember(entry.value);
    if (known?.removed) {
      const inUse = this.#options.inUse?.() ?? [];
      if (inUse.length > 0) throw hostRemoved({ ...known, removed: known.removed }, inUse);
      await this.#options.onRejoin?.();
    } else if (entry && known?.name === name && known.instance === instance) {
      return { op: 'check', key, ifVersion: entry.version };
    }
    const joinedAt = known && !known.removed ? known.joinedAt : new Date().toISOString();
    const document: MemberDocument = { id, name, instance, joinedAt };
    return { op: 'set', key, value: format(document), ifVersion: entry?.version ?? 0 };
  }

  async #taken({ vtep }: HostDocument, owner: string): Promise<ClusterError> {
    const entry = owner === 'another host' ? undefined : await this.#store.get(keys.host(owner));
    return vtepTaken(vtep, (entry && parseHost(entry.value))?.name ?? owner);
  }

  /** Resolves when the document is not in the store any more, or `stop` aborts. Throws when it is another's. */
  async #untilStale(document: HostDocument, stop: AbortSignal): Promise<void> {
    const key = keys.host(document.id);
    const text = format(document);
    for await (const { entries } of this.#store.watch(key, { signal: stop })) {
      if (entries.get(key)?.value === text) continue;
      // A watch may begin with what was before our write; a read does not.
      const entry = await this.#store.get(key);
      if (!entry) return;
      if (entry.value !== text) throw hostIdTaken(document.id, parseHost(entry.value));
    }
  }
}

/** A lease that can't be given back now ends by itself. */
async function release(lease: Lease | undefined): Promise<void> {
  try {
    await lease?.[Symbol.asyncDispose]();
  } catch {
    // The store is away; its own clock ends the lease.
  }
}

/** Throws HOST_ID_TAKEN when another machine is alive under this id. What is announced without an instance is of an older version. */
function assertNoCopy(own: HostDocument, announced: Entry | undefined): void {
  if (!announced) return;
  const other = parseHost(announced.value);
  if (other?.instance === undefined || other.instance === own.instance) return;
  throw hostIdTaken(own.id, other, own);
}
