import type { ClusterView } from '../cluster/index.js';
import type { Bindings } from '../driver/index.js';
import type { AskedPool } from '../ipam/index.js';
import { type Prefix, rangeOf } from '../net/index.js';
import type { AnnouncedNetwork } from './network-plan.js';

/** A guess that came to nothing is not repeated for so long: who tries again gets a network of his own. */
const NO_SECOND_GUESS_MS = 30_000;

export interface ExpectedNetworksDeps {
  readonly view: Pick<ClusterView, 'networks'>;
  readonly bindings: Pick<Bindings, 'shunned'>;
  /** Whether Docker answers, and so will tell a network's name. */
  readonly isDockerThere: () => boolean;
  readonly clock?: () => number;
}

/**
 * Which network of the cluster Docker means when it asks for a pool: its request has no name, and the name comes only after the
 * network was made.
 *
 * What weft makes here itself, it knows. A network that was removed here while others use it is meant by who asks for its prefix;
 * and, if it is the only such one, by who asks for any prefix: `docker compose down` and `up` of a file without subnets. That is a guess, which
 * holds until Docker tells the name.
 */
export class ExpectedNetworks {
  readonly #deps: ExpectedNetworksDeps;
  /** Names of networks that are being made here, by the prefixes that Docker will ask for. */
  readonly #making = new Map<Prefix, string>();
  readonly #guessedAt = new Map<string, number>();
  /** How many make networks of which they know that nothing is to be guessed. */
  #certain = 0;

  constructor(deps: ExpectedNetworksDeps) {
    this.#deps = deps;
  }

  /** The network's name, if one is meant. */
  nameFor({ prefix, family }: AskedPool): string | undefined {
    const making = prefix && this.#making.get(prefix);
    if (making !== undefined) return making;
    const shunned = this.#deps.bindings.shunned();
    if (shunned.size === 0) return undefined;
    const away = this.#deps.view.networks().filter(({ id }) => shunned.has(id));
    if (prefix !== undefined) {
      return away.find(({ pools }) => pools.some((pool) => pool.prefix === prefix))?.name;
    }
    // A guess that nobody can confirm is none.
    if (!this.#deps.isDockerThere()) return undefined;
    const [network] = away;
    const ofFamily = network?.pools.filter((pool) => rangeOf(pool.prefix).family === family);
    if (!network?.name || ofFamily?.length !== 1 || shunned.size > 1) return undefined;
    return this.#guess(`${network.id} ${family}`) ? network.name : undefined;
  }

  /** Someone removed this network here: who asks for one next may want it back. */
  forgetGuess(networkId: string): void {
    for (const family of [4, 6]) this.#guessedAt.delete(`${networkId} ${family}`);
  }

  /** Runs `work`, in which Docker asks for this network's pools. */
  async whileMaking(
    { name, pools }: AnnouncedNetwork,
    work: () => Promise<unknown>,
  ): Promise<void> {
    for (const { prefix } of pools) this.#making.set(prefix, name);
    try {
      await work();
    } finally {
      for (const { prefix } of pools) this.#making.delete(prefix);
    }
  }

  /** Runs `work`, in which Docker asks for pools of a new network. */
  async withoutGuess<T>(work: () => Promise<T>): Promise<T> {
    this.#certain += 1;
    try {
      return await work();
    } finally {
      this.#certain -= 1;
    }
  }

  #guess(what: string): boolean {
    const now = (this.#deps.clock ?? (() => performance.now()))();
    const before = this.#guessedAt.get(what);
    if (this.#certain > 0 || (before !== undefined && now - before < NO_SECOND_GUESS_MS))
      return false;
    this.#guessedAt.set(what, now);
    return true;
  }
}
