import { randomBytes, randomInt } from 'node:crypto';
import type { Entry, Store } from '../store/index.js';
import { Backoff } from '../util/index.js';
import { parseVni } from '../net/index.js';
import {
  type EndpointRecord,
  type NetworkDocument,
  format,
  formatEndpoints,
  isNetworkName,
  keys,
  parseClaim,
  parseNetwork,
} from './documents.js';
import { ClusterError } from './errors.js';

/** Above what Docker's own overlay uses (it counts up from 4,096), so that both can run on one underlay. */
const VNI_RANGE = { first: 0x10_00_00, last: 0xff_ff_ff };

/** A host that is closing a network is done in milliseconds; one that is not after this long has died. */
const CLOSING_MS = 5000;

export interface NewNetwork {
  readonly name?: string;
  readonly mtu?: number;
  readonly internal: boolean;
  readonly pools: NetworkDocument['pools'];
}

interface Found {
  readonly entry: Entry;
  readonly document: NetworkDocument;
}

/**
 * Networks in the shared store, as this host creates, joins and leaves them.
 *
 * A network lives as long as one host has it. The last to leave marks it as closing, looks again, and removes it; a joiner's
 * write rests on the document not having changed, so that of the two only one succeeds.
 */
export class Networks {
  readonly #store: Store;
  readonly #hostId: string;
  readonly #clock: () => number;

  constructor(store: Store, hostId: string, clock: () => number = Date.now) {
    this.#store = store;
    this.#hostId = hostId;
    this.#clock = clock;
  }

  async get(id: string): Promise<NetworkDocument | undefined> {
    return (await this.#find(id))?.document;
  }

  async findByName(name: string): Promise<NetworkDocument | undefined> {
    assertName(name);
    const claim = await this.#store.get(keys.name(name));
    const owner = claim && parseClaim(claim.value);
    return owner === undefined ? undefined : this.get(owner);
  }

  /** Throws NAME_TAKEN when another network has the name. No host has the network until one joins. */
  async create(network: NewNetwork): Promise<NetworkDocument> {
    if (network.name !== undefined) assertName(network.name);
    for (let attempt = 0; attempt < 16; attempt += 1) {
      const document: NetworkDocument = {
        ...network,
        id: randomBytes(6).toString('hex'),
        vni: parseVni(randomInt(VNI_RANGE.first, VNI_RANGE.last + 1)),
        createdBy: this.#hostId,
        createdAt: new Date(this.#clock()).toISOString(),
      };
      if (await this.#insert(document)) return document;
      await this.#assertNameFree(network.name);
    }
    throw new ClusterError({ code: 'NO_FREE_VNI' }, 'found no free VNI in 16 random attempts');
  }

  /**
   * Gives a network the name that Docker has for it. False when another network has the name, or this one has another.
   * Throws NETWORK_GONE.
   */
  async name(id: string, name: string): Promise<boolean> {
    assertName(name);
    for (;;) {
      const found = await this.#find(id);
      if (!found) throw gone(id);
      if (found.document.name !== undefined) return found.document.name === name;
      const outcome = await this.#store.transact([
        { op: 'set', key: keys.name(name), value: format({ owner: id }), ifVersion: 0 },
        this.#replace(found, { ...found.document, name }),
      ]);
      if (outcome.ok) return true;
      if (outcome.index === 0) return false;
    }
  }

  /**
   * Makes known that this host has the network, with these endpoints. A network that the store has lost is put back as
   * `document` says. Waits while another host is closing it; throws NETWORK_GONE when that host removed it and `restore` is false.
   */
  async publish(
    document: NetworkDocument,
    endpoints: readonly EndpointRecord[],
    { restore, signal }: { readonly restore: boolean; readonly signal: AbortSignal },
  ): Promise<void> {
    const { id } = document;
    const key = keys.endpoints(id, this.#hostId);
    const value = formatEndpoints({ network: id, host: this.#hostId, endpoints });
    const backoff = new Backoff({ minMs: 20, maxMs: 500 });
    const giveUp = this.#clock() + CLOSING_MS;
    for (;;) {
      signal.throwIfAborted();
      const found = await this.#find(id);
      if (!found && !restore) throw gone(id);
      if (!found) {
        const { closing: _, ...lost } = document;
        if ((await this.#insert(lost)) || (await this.#insertWithoutName(lost))) continue;
      } else if (!found.document.closing) {
        const outcome = await this.#store.transact([
          { op: 'check', key: keys.network(id), ifVersion: found.entry.version },
          { op: 'set', key, value },
        ]);
        if (outcome.ok) return;
      } else if (this.#clock() > giveUp) {
        await this.#unmark(found); // whoever was closing it has died
        continue;
      }
      await backoff.wait(signal);
    }
  }

  /** This host has the network no more; when it was the last one, the network goes. Leaving twice is fine. */
  async leave(id: string): Promise<void> {
    await this.#store.transact([{ op: 'delete', key: keys.endpoints(id, this.#hostId) }]);
    if (await this.#hasMembers(id)) return;
    const found = await this.#find(id);
    if (!found) return;
    const closing = { host: this.#hostId, since: this.#clock() };
    const marked = await this.#store.transact([
      this.#replace(found, { ...found.document, closing }),
    ]);
    if (!marked.ok) return; // somebody joined, or is closing it as well
    const mine = await this.#find(id);
    if (mine?.document.closing?.host !== this.#hostId) return;
    if (await this.#hasMembers(id)) await this.#unmark(mine);
    else await this.#remove(mine);
  }

  async #find(id: string): Promise<Found | undefined> {
    const entry = await this.#store.get(keys.network(id));
    const document = entry && parseNetwork(entry.value);
    return document ? { entry, document } : undefined;
  }

  async #insert(document: NetworkDocument): Promise<boolean> {
    const claim = format({ owner: document.id });
    const outcome = await this.#store.transact([
      { op: 'set', key: keys.network(document.id), value: format(document), ifVersion: 0 },
      { op: 'set', key: keys.vni(document.vni), value: claim, ifVersion: 0 },
      ...(document.name === undefined
        ? []
        : [{ op: 'set' as const, key: keys.name(document.name), value: claim, ifVersion: 0 }]),
    ]);
    return outcome.ok;
  }

  /** The name went to another network while the store had lost this one: it lives on without. */
  async #insertWithoutName({ name: _, ...document }: NetworkDocument): Promise<boolean> {
    return this.#insert(document);
  }

  async #assertNameFree(name: string | undefined): Promise<void> {
    if (name === undefined) return;
    const other = await this.#store.get(keys.name(name));
    if (!other) return;
    const network = parseClaim(other.value) ?? 'unknown';
    throw new ClusterError(
      { code: 'NAME_TAKEN', name, network },
      `there is a network "${name}" already`,
    );
  }

  async #hasMembers(id: string): Promise<boolean> {
    return (await this.#store.list(keys.endpointsOf(id))).length > 0;
  }

  #replace({ entry }: Found, document: NetworkDocument) {
    return {
      op: 'set' as const,
      key: entry.key,
      value: format(document),
      ifVersion: entry.version,
    };
  }

  async #unmark(found: Found): Promise<void> {
    const { closing: _, ...open } = found.document;
    await this.#store.transact([this.#replace(found, open)]);
  }

  async #remove({ entry, document }: Found): Promise<void> {
    await this.#store.transact([
      { op: 'delete', key: entry.key, ifVersion: entry.version },
      { op: 'delete', key: keys.vni(document.vni) },
      ...(document.name === undefined
        ? []
        : [{ op: 'delete' as const, key: keys.name(document.name) }]),
    ]);
  }
}

function assertName(name: string): void {
  if (isNetworkName(name)) return;
  throw new ClusterError(
    { code: 'INVALID_NAME', name },
    `"${name}" can't name a network: use letters, digits, '_', '.' and '-', beginning with a letter or digit`,
  );
}

function gone(network: string): ClusterError {
  return new ClusterError(
    { code: 'NETWORK_GONE', network },
    `network ${network} is gone from the store`,
  );
}
