/**
 * Our tunnels in the host's firewall. One table in the host's namespace, which we alone own.
 *
 * Who may send to our VXLAN port: VTEPs of our hosts, and on those only the host itself.
 *
 * What comes in is judged by its sender, for our own VNIs only, as others may use the port too (Docker's overlay does). That
 * would trust containers, whom Docker lets out under their host's address: so nothing that is forwarded reaches another
 * host's port, whatever its VNI; tunnels are never forwarded, they begin here. What it lets pass still meets the host's own
 * firewall.
 *
 * Between our hosts the tunnel is not tracked: the source port is a hash of what is inside, so the two directions are two
 * connections to the kernel, neither ever answered. Tracking them tells a firewall nothing, costs more than all rules here
 * together, and lets containers fill the host's table with one entry for each of their connections.
 */
import { type Address, type Vni, familyOf } from '../net/index.js';
import { type Connection, type Monitor, NETLINK, nft } from '../netlink/index.js';
import { Closer } from '../util/index.js';
import type { Host } from './host.js';

export const GUARD_TABLE = { family: 'inet', name: 'weft' } as const satisfies nft.TableRef;

/** With mangle: after defragmentation, so that a fragment without ports can't slip by, and before usual filters. */
const PRIORITY = -150;
/** Raw: before connection tracking, which Docker's own rules switch on. */
const UNTRACKED = -300;

export function guardTable(
  port: number,
  vteps: readonly Address[],
  vnis: readonly Vni[],
): nft.TableSpec {
  const { rule, udp, ip, ip6, vxlan, accept, drop, counter, notrack } = nft;
  const isOurPort = udp.dport.is(port);
  const keys = (values: readonly Address[]) => values.map((value) => ({ key: [value] }));
  return {
    ...GUARD_TABLE,
    sets: [
      { name: 'vtep4', type: ['ipv4_addr'], elements: keys(ofFamily(vteps, 4)) },
      { name: 'vtep6', type: ['ipv6_addr'], elements: keys(ofFamily(vteps, 6)) },
    ],
    chains: [
      {
        name: 'untracked-from-hosts',
        base: { type: 'filter', hook: 'prerouting', priority: UNTRACKED, policy: 'accept' },
        rules: [
          rule(undefined, isOurPort, ip.saddr.in('vtep4'), notrack, accept),
          rule(undefined, isOurPort, ip6.saddr.in('vtep6'), notrack, accept),
        ],
      },
      {
        name: 'untracked-to-hosts',
        base: { type: 'filter', hook: 'output', priority: UNTRACKED, policy: 'accept' },
        rules: [
          rule(undefined, isOurPort, ip.daddr.in('vtep4'), notrack, accept),
          rule(undefined, isOurPort, ip6.daddr.in('vtep6'), notrack, accept),
        ],
      },
      {
        name: 'from-underlay',
        base: { type: 'filter', hook: 'input', priority: PRIORITY, policy: 'accept' },
        rules: [
          rule(undefined, isOurPort, ip.saddr.in('vtep4'), accept),
          rule(undefined, isOurPort, ip6.saddr.in('vtep6'), accept),
          // Not a set: nft could list it but not load it, and people save what it lists.
          ...vnis.map((vni) => rule(undefined, isOurPort, vxlan.vni.is(vni), counter, drop)),
        ],
      },
      {
        name: 'from-containers',
        base: { type: 'filter', hook: 'forward', priority: PRIORITY, policy: 'accept' },
        rules: [
          rule('not the host itself', isOurPort, ip.daddr.in('vtep4'), counter, drop),
          rule('not the host itself', isOurPort, ip6.daddr.in('vtep6'), counter, drop),
        ],
      },
    ],
  };
}

const ofFamily = (vteps: readonly Address[], family: 4 | 6): Address[] =>
  vteps.filter((vtep) => familyOf(vtep) === family);

/** The table in the kernel. The caller runs its methods one after another. */
export class Guard implements AsyncDisposable {
  readonly #host: Host;
  readonly #conn: Connection;
  readonly #closer: Closer;
  readonly #onChange: () => void;
  #monitor: Monitor | undefined;
  #vteps: readonly Address[] | undefined;

  private constructor(host: Host, conn: Connection, closer: Closer, onChange: () => void) {
    this.#host = host;
    this.#conn = conn;
    this.#closer = closer;
    this.#onChange = onChange;
    closer.defer(() => {
      this.#monitor?.close();
    });
  }

  /** `onChange`: somebody, maybe we, touched the table; `round` is due. */
  static async open(host: Host, onChange: () => void): Promise<Guard> {
    const closer = new Closer();
    const { netnsFd: netns, kernel } = host;
    const conn = closer.use(await kernel.connect({ netns, protocol: NETLINK.NETFILTER }));
    return new Guard(host, conn, closer, onChange);
  }

  set vteps(vteps: readonly Address[]) {
    this.#vteps = vteps;
  }

  /**
   * Makes the table right; answers whether it was not. Until somebody said who our hosts are it stays as an earlier run left
   * it: to judge by an empty list would cut off live traffic.
   */
  async round(vnis: readonly Vni[]): Promise<boolean> {
    if (this.#vteps === undefined) return false;
    await this.#watch();
    const { vtep, port } = this.#host.underlay;
    // Nobody else is us.
    const vteps = this.#vteps.filter((other) => other !== vtep);
    return nft.ensureTable(this.#conn, guardTable(port, vteps, vnis));
  }

  async #watch(): Promise<void> {
    const { netnsFd: netns, kernel } = this.#host;
    this.#monitor ??= await kernel.monitorTables({
      netns,
      onEvent: (event) => {
        const { family, name } = GUARD_TABLE;
        if (event.type === 'overrun' || (event.family === family && event.name === name)) {
          this.#onChange();
        }
      },
      onError: () => {
        this.#monitor = undefined;
        this.#onChange();
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closer.close();
  }
}
