import { type Connection, nft } from '../netlink/index.js';
import {
  SPOOF_TABLE,
  type Sender,
  type SenderElement,
  type SenderSet,
  elementId,
  elementsOf,
  senderSets,
  spoofTable,
} from './anti-spoof.js';
import { hasErrno } from './errors.js';
import type { Tally } from './tally.js';

const setNames = Object.keys(senderSets) as SenderSet[];

/** The table of anti-spoof.ts in one network's namespace: what is in it, and the least that makes it right. */
export class Senders {
  readonly #conn: Connection;
  /** Elements in the kernel, by id, as far as we know. */
  #known = new Map<string, SenderElement>();

  /** `conn` is one of NETLINK.NETFILTER. */
  constructor(conn: Connection) {
    this.#conn = conn;
  }

  /** The socket that changes the table, as its news say; undefined before it was used. */
  get port(): number | undefined {
    return this.#conn.port;
  }

  /** Makes the table allow these senders, and others that are there only if their port `mayStay`. What is refused is all of it. */
  async round(
    senders: readonly Sender[],
    mayStay: (port: number) => boolean,
    tally: Tally,
  ): Promise<void> {
    const elements = byId(senders.flatMap(elementsOf));
    for (const element of await this.#observe()) {
      if (mayStay(Number(element.key[0]))) elements.set(elementId(element), element);
    }
    try {
      const isChanged = await nft.ensureTable(this.#conn, spoofTable([...elements.values()]));
      if (isChanged) tally.count('change');
      this.#known = elements;
    } catch (error) {
      tally.errors.push(error);
    }
  }

  /** Allows one more. Throws ENOENT when the table is gone; what was added by then is known, and goes with `remove`. */
  async put(sender: Sender): Promise<void> {
    const missing = elementsOf(sender).filter((element) => !this.#known.has(elementId(element)));
    for (const element of missing) this.#known.set(elementId(element), element);
    await nft.changeElements(this.#conn, SPOOF_TABLE, bySet(missing, 'add'));
  }

  /** Forgets a port that is gone. What is not there any more is fine. */
  async remove(port: number): Promise<void> {
    const gone = [...this.#known.values()].filter(({ key }) => key[0] === port);
    const changes = bySet(gone, 'delete');
    if (!(await this.#delete(changes))) {
      // Somebody was quicker with one of them: none of them is deleted yet.
      for (const change of changes) await this.#delete([change]);
    }
    for (const element of gone) this.#known.delete(elementId(element));
  }

  /** False when one of the elements is not there. */
  async #delete(changes: readonly nft.ElementChange[]): Promise<boolean> {
    try {
      await nft.changeElements(this.#conn, SPOOF_TABLE, changes);
      return true;
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
      return false;
    }
  }

  async #observe(): Promise<SenderElement[]> {
    const elements: SenderElement[] = [];
    for (const set of setNames) {
      const keys = await nft.readElements(this.#conn, SPOOF_TABLE, senderSets[set]);
      elements.push(...keys.map((key) => ({ set, key })));
    }
    return elements;
  }
}

function bySet(elements: readonly SenderElement[], what: 'add' | 'delete'): nft.ElementChange[] {
  const changes = setNames.map((name) => ({
    set: senderSets[name],
    [what]: elements.filter((element) => element.set === name),
  }));
  return changes.filter((change) => elements.some(({ set }) => senderSets[set] === change.set));
}

function byId(elements: Iterable<SenderElement>): Map<string, SenderElement> {
  return new Map(Array.from(elements, (element) => [elementId(element), element]));
}
