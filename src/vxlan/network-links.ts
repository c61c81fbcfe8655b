/** The links of one network, in its namespace: seen in one dump, made and repaired one by one. */
import {
  type Connection,
  type Link,
  type Message,
  type RouteEvent,
  deleteLink,
  dumpLinks,
  getLink,
  newLink,
} from '../netlink/index.js';
import { VxlanError } from './errors.js';
import type { Host } from './host.js';
import {
  INNER_MTU,
  type LinkWish,
  bridgeWish,
  isAnother,
  isPortAsWished,
  linkRepairs,
  portWish,
  vxlanWish,
} from './links.js';
import { BRIDGE, VXLAN, isPortLink, portLink } from './names.js';
import type { LinkIndexes } from './rows.js';
import { type Tally, isGone } from './tally.js';
import type { LocalEndpoint, NetworkSpec } from './types.js';
import { deleteVeth, ensureVeth } from './veth.js';

export interface NetworkLinksDeps {
  readonly host: Host;
  /** rtnetlink in the network's namespace. */
  readonly conn: Connection;
  readonly netnsFd: number;
  /** Makes room for our VNI when the kernel says that it is taken, or throws. */
  readonly freeVni: (spec: NetworkSpec) => Promise<void>;
}

export class NetworkLinks {
  readonly #deps: NetworkLinksDeps;
  #spec: NetworkSpec;
  #areFiltered: boolean | undefined;
  #bridge = 0;
  #vxlan = 0;
  readonly #ports = new Map<string, number>();
  /** What is wanted, by name. */
  readonly #wishes = new Map<string, LinkWish>();

  constructor(deps: NetworkLinksDeps, spec: NetworkSpec) {
    this.#deps = deps;
    this.#spec = spec;
    this.configure(spec);
  }

  configure(spec: NetworkSpec): void {
    const { underlay } = this.#deps.host;
    this.#spec = spec;
    this.#wishes.set(BRIDGE, bridgeWish(spec, underlay, this.#areFiltered));
    this.#wishes.set(VXLAN, vxlanWish(spec, underlay));
  }

  /** See bridgeWish; takes effect with `repair`, or with `repairBridge`. */
  set areFiltered(areFiltered: boolean | undefined) {
    this.#areFiltered = areFiltered;
    this.configure(this.#spec);
  }

  /** Makes br0 right, which is there. */
  async repairBridge(tally: Tally): Promise<void> {
    const wish = this.#wishes.get(BRIDGE)!;
    await this.#ensure(wish, await getLink(this.#deps.conn, BRIDGE), tally);
  }

  /** As last seen. */
  get indexes(): LinkIndexes {
    return { bridge: this.#bridge, vxlan: this.#vxlan, ports: this.#ports };
  }

  /**
   * Makes br0, vxlan0 and the ports of attached endpoints right; `prune`: deletes other ports. A port that is gone stays so
   * until it is attached again, since its other end was the container's: that is an error in `tally`. Throws when br0 or vxlan0 can't be made, for then
   * nothing else can.
   */
  async repair(prune: boolean, tally: Tally): Promise<void> {
    const { conn } = this.#deps;
    const found = new Map((await dumpLinks(conn)).map((link) => [link.name, link]));
    // br0 first, then vxlan0: that is their order in #wishes.
    for (const wish of this.#wishes.values()) {
      const link = found.get(wish.name);
      if (!isPortLink(wish.name)) await this.#ensure(wish, link, tally);
      else if (link !== undefined) await this.#repairPort(wish, link, tally);
      else {
        this.#ports.delete(wish.name);
        tally.errors.push(lost(wish.name));
      }
    }
    for (const link of found.values()) {
      if (!isPortLink(link.name) || this.#wishes.has(link.name)) continue;
      if (prune) await this.#delete(link, tally);
      else this.#ports.set(link.name, link.ifindex);
    }
  }

  /** Answers whether the endpoint had no link before. */
  async attach(endpoint: LocalEndpoint): Promise<boolean> {
    const hint = { bridge: this.#bridge, isSeen: this.#ports.has(portLink(endpoint.id)) };
    const { ifindex, isNew } = await ensureVeth(this.#deps, this.#spec, endpoint, hint);
    const wish = portWish(this.#spec.id, endpoint.id);
    this.#wishes.set(wish.name, wish);
    this.#ports.set(wish.name, ifindex);
    return isNew;
  }

  /** Whether an attached endpoint's port was gone when last looked for. */
  isLost(endpointId: string): boolean {
    const port = portLink(endpointId);
    return this.#wishes.has(port) && !this.#ports.has(port);
  }

  /** The endpoint is not attached, whatever there is of it. */
  forget(endpointId: string): void {
    this.#wishes.delete(portLink(endpointId));
  }

  async detach(endpointId: string): Promise<void> {
    this.forget(endpointId);
    this.#ports.delete(portLink(endpointId));
    await deleteVeth(this.#deps.conn, endpointId);
  }

  /** Whether the kernel's news of a link is what we want anyway, or of no concern. */
  agrees(event: Extract<RouteEvent, { type: 'link' | 'port' }>): boolean {
    const { name } = event.type === 'link' ? event.link : event.port;
    const wish = this.#wishes.get(name);
    if (wish === undefined || (event.type === 'port' && wish.port === undefined)) return true;
    if (event.isGone) return false;
    if (event.type === 'port') {
      return event.port.master === this.#bridge && isPortAsWished(wish, event.port.options);
    }
    return !isAnother(wish, event.link) && linkRepairs(wish, event.link, this.#bridge).length === 0;
  }

  async #ensure(wish: LinkWish, found: Link | undefined, tally: Tally): Promise<void> {
    let link = found;
    if (link !== undefined && isAnother(wish, link)) {
      await this.#delete(link, tally);
      link = undefined;
    }
    const isNew = link === undefined;
    if (isNew) await this.#make(wish);
    link ??= await getLink(this.#deps.conn, wish.name);
    if (wish.name === BRIDGE) this.#bridge = link.ifindex;
    else this.#vxlan = link.ifindex;
    const repairs = linkRepairs(wish, link, this.#bridge);
    if (isNew || repairs.length > 0) tally.count(isNew ? 'create' : 'change');
    await this.#apply(repairs, tally);
  }

  async #repairPort(wish: LinkWish, link: Link, tally: Tally): Promise<void> {
    this.#ports.set(link.name, link.ifindex);
    const repairs = linkRepairs(wish, link, this.#bridge);
    if (repairs.length > 0) tally.count('change');
    await this.#apply(repairs, tally);
  }

  async #make({ name, kind, mac }: LinkWish): Promise<void> {
    if (kind.type === 'bridge') {
      // Its MTU comes after: one it is made with, it gives up for that of the next port.
      await this.#deps.conn.apply(newLink({ name, kind, mac }));
    } else if (kind.type === 'vxlan') {
      // From the host's namespace, where its UDP socket then is, directly into ours.
      const { netnsFd } = this.#deps;
      await this.#makeVxlan(
        newLink({ name, kind, mac, mtu: INNER_MTU, netnsFd, master: this.#bridge }),
      );
    }
  }

  async #makeVxlan(made: Message): Promise<void> {
    const { host, freeVni } = this.#deps;
    // Once with whatever a crash left, once without it; then freeVni says who else has the VNI.
    for (let attempt = 1; attempt <= 2; attempt += 1) {
      const [error] = await host.conn.request([made]);
      if (error === undefined) return;
      if (error.code !== 'EEXIST') throw error;
      await freeVni(this.#spec);
    }
    await host.conn.apply(made);
  }

  async #delete(link: Link, tally: Tally): Promise<void> {
    const [error] = await this.#deps.conn.request([deleteLink(link.ifindex)]);
    if (error === undefined || isGone(error)) tally.count('delete');
    else tally.errors.push(error);
  }

  async #apply(messages: readonly Message[], tally: Tally): Promise<void> {
    if (messages.length === 0) return;
    const outcomes = await this.#deps.conn.request(messages);
    tally.errors.push(...outcomes.filter((outcome) => outcome !== undefined));
  }
}

/** Deletes all that is ours in a namespace: at once, while a namespace takes its time to die with its links. */
export async function deleteLinks(conn: Connection): Promise<void> {
  const ours = (await dumpLinks(conn)).filter(
    ({ name }) => name === BRIDGE || name === VXLAN || isPortLink(name),
  );
  const outcomes = await conn.request(ours.map(({ ifindex }) => deleteLink(ifindex)));
  const error = outcomes.find((outcome) => outcome !== undefined && !isGone(outcome));
  if (error !== undefined) throw error;
}

function lost(port: string): VxlanError {
  return new VxlanError(
    { code: 'LINK_LOST', link: port },
    `the endpoint of "${port}" has lost its link; disconnect its container from the network and connect it again`,
  );
}
