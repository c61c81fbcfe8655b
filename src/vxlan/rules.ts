/**
 * A network's own rules in its namespace: one table that somebody else worked out, seen by bridged packets.
 *
 * They see it while the bridge has `nf_call_iptables` and `nf_call_ip6tables` on, which is off where there are no rules: such a network
 * pays nothing. What is not known yet stays as an earlier run left it, the bridge's flags too.
 */
import { type Connection, nft } from '../netlink/index.js';
import { VxlanError, hasErrno } from './errors.js';
import type { Tally } from './tally.js';
import type { NetworkRules } from './types.js';

/** In place of rules that this kernel can't show to bridged packets: nothing passes. */
const CLOSED_TABLE: nft.TableSpec = {
  family: 'bridge',
  name: 'weft-closed',
  comment: 'br_netfilter is missing',
  chains: [
    {
      name: 'closed',
      base: { type: 'filter', hook: 'forward', priority: -200, policy: 'drop' },
      rules: [],
    },
  ],
};

export class Rules {
  readonly #conn: Connection;
  #wanted: NetworkRules | undefined;
  /** In the kernel, as far as we know; undefined when it has to be looked at. */
  #known: NetworkRules | undefined;

  /** `conn` is one of NETLINK.NETFILTER. */
  constructor(conn: Connection) {
    this.#conn = conn;
  }

  /** Whether bridged packets are to see rules; undefined while that is not known. */
  get areWanted(): boolean | undefined {
    return this.#wanted && this.#wanted.spec !== undefined;
  }

  /** Whether they are known to be in the kernel, so that another change is no more than the difference. */
  get areKnown(): boolean {
    return this.#known !== undefined;
  }

  isTable(table: nft.TableRef): boolean {
    return this.#wanted !== undefined && isTable(this.#wanted.table, table);
  }

  want(rules: NetworkRules): void {
    this.#wanted = rules;
  }

  /** Somebody else touched them, or an exchange broke off. */
  doubt(): void {
    this.#known = undefined;
  }

  /** Whether an earlier run left the table. */
  async areThere(table: nft.TableRef): Promise<boolean> {
    return nft.hasTable(this.#conn, table);
  }

  /** Takes keys out of sets of a table that an earlier run left; one that is not there is fine. */
  async forget(table: nft.TableRef, sets: readonly nft.SetSpec[]): Promise<void> {
    for (const set of sets) {
      for (const element of set.elements ?? []) {
        try {
          await nft.changeElements(this.#conn, table, [{ set, delete: [element] }]);
        } catch (error) {
          if (!hasErrno(error, 'ENOENT')) throw error;
        }
      }
    }
  }

  /** Makes the table right, whatever there is. `canSee`: bridged packets get to see it. */
  async round(canSee: boolean, tally: Tally): Promise<void> {
    const wanted = this.#wanted;
    if (wanted === undefined) return;
    this.#known = undefined;
    const { table, spec } = wanted;
    try {
      const isClosed = spec !== undefined && !canSee;
      if (isClosed) await nft.ensureTable(this.#conn, CLOSED_TABLE);
      if (spec === undefined) await nft.deleteTable(this.#conn, table);
      else if (await nft.ensureTable(this.#conn, spec)) tally.count('change');
      if (isClosed) throw unseen();
      await nft.deleteTable(this.#conn, CLOSED_TABLE);
      this.#known = wanted;
    } catch (error) {
      tally.errors.push(error);
    }
  }

  /** As `round`, when what is in the kernel is known: costs the difference. */
  async change(tally: Tally): Promise<void> {
    const [wanted, before] = [this.#wanted, this.#known];
    if (wanted === undefined || before === undefined) return this.round(true, tally);
    this.#known = undefined;
    try {
      if (wanted.spec === undefined) await nft.deleteTable(this.#conn, wanted.table);
      else if (before.spec === undefined) await nft.ensureTable(this.#conn, wanted.spec);
      else await nft.changeTable(this.#conn, before.spec, wanted.spec);
      this.#known = wanted;
    } catch {
      // Somebody was there in between.
      await this.round(true, tally);
    }
  }
}

export function isTable(a: nft.TableRef, b: nft.TableRef): boolean {
  return a.family === b.family && a.name === b.name;
}

function unseen(): VxlanError {
  return new VxlanError(
    { code: 'NO_BRIDGE_NETFILTER' },
    'the network has policies, and this kernel does not show bridged packets to them: nothing passes; load its module with "modprobe br_netfilter"',
  );
}
