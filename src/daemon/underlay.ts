import { type Address, familyOf, parseAddress, parsePrefix, prefixContains } from '../net/index.js';
import { DaemonError } from './errors.js';

/** A link of this host with its addresses, as far as choosing needs them. */
export interface CandidateLink {
  readonly index: number;
  readonly name: string;
  readonly mtu: number;
  readonly up: boolean;
  /** Kernel's kind ("bridge", "veth"), absent for hardware. */
  readonly kind?: string;
  /** Addresses of global scope. */
  readonly addresses: readonly Address[];
}

export interface DefaultRoute {
  readonly family: 4 | 6;
  readonly linkIndex: number;
  readonly metric: number;
}

export interface UnderlayChoice {
  readonly linkIndex: number;
  readonly linkName: string;
  /** The address that other hosts send to. */
  readonly vtep: Address;
  /** Octets that fit in one underlay packet. */
  readonly mtu: number;
  /** Why this one, for people. */
  readonly reason: string;
}

interface Wanted {
  readonly links: readonly CandidateLink[];
  readonly defaultRoutes: readonly DefaultRoute[];
  /** Link name, address or prefix from the configuration. */
  readonly select?: string;
  readonly mtu?: number;
}

/**
 * Which link and address carry the tunnels, and why. Pure: the daemon asks again when the kernel reports a change.
 *
 * Throws NO_UNDERLAY, naming what there is to choose from.
 */
export function chooseUnderlay({ links, defaultRoutes, select, mtu }: Wanted): UnderlayChoice {
  const usable = links.filter((l) => l.up && l.name !== 'lo' && l.addresses.length > 0);
  const found =
    select === undefined ? automatic(usable, defaultRoutes) : selected(usable, links, select);
  const { link, vtep, reason } = found;
  const mtuReason =
    mtu === undefined ? `MTU ${link.mtu} of the link` : `MTU ${mtu} from the configuration`;
  return {
    linkIndex: link.index,
    linkName: link.name,
    vtep,
    mtu: mtu ?? link.mtu,
    reason: `${reason}; ${mtuReason}`,
  };
}

interface Found {
  readonly link: CandidateLink;
  readonly vtep: Address;
  readonly reason: string;
}

function automatic(usable: readonly CandidateLink[], routes: readonly DefaultRoute[]): Found {
  const best = [...routes].sort((a, b) => a.family - b.family || a.metric - b.metric);
  for (const route of best) {
    const link = usable.find((l) => l.index === route.linkIndex);
    const vtep = link?.addresses.find((a) => familyOf(a) === route.family);
    if (link && vtep) return { link, vtep, reason: `${link.name} has the default route` };
  }
  // Docker's and our own bridges have addresses too, but never lead to another host.
  const plain = usable.filter((l) => l.kind !== 'bridge');
  if (plain.length === 1) {
    const link = plain[0]!;
    return {
      link,
      vtep: firstAddress(link),
      reason: `${link.name} is the only link with an address`,
    };
  }
  throw noUnderlay(
    usable,
    plain.length === 0
      ? 'no link that is up has an address, and there is no default route'
      : 'there is no default route and more than one link with an address',
  );
}

function selected(
  usable: readonly CandidateLink[],
  all: readonly CandidateLink[],
  select: string,
): Found {
  const reason = `"${select}" was configured`;
  const named = all.find((l) => l.name === select);
  if (named) {
    if (!named.up) throw noUnderlay(usable, `link ${select} is down`, select);
    if (named.addresses.length === 0)
      throw noUnderlay(usable, `link ${select} has no address`, select);
    return { link: named, vtep: firstAddress(named), reason };
  }
  const matches = matcher(select);
  for (const link of usable) {
    const vtep = link.addresses.find((a) => matches?.(a));
    if (vtep) return { link, vtep, reason };
  }
  throw noUnderlay(usable, `no link, address or prefix of this host is "${select}"`, select);
}

function matcher(select: string): ((address: Address) => boolean) | undefined {
  try {
    if (select.includes('/')) {
      const prefix = parsePrefix(select);
      return (address) => prefixContains(prefix, address);
    }
    const wanted = parseAddress(select);
    return (address) => address === wanted;
  } catch {
    return undefined; // a link name that this host does not have
  }
}

function firstAddress(link: CandidateLink): Address {
  return link.addresses.find((a) => familyOf(a) === 4) ?? link.addresses[0]!;
}

function noUnderlay(usable: readonly CandidateLink[], why: string, wanted?: string): DaemonError {
  const choices = usable.map((l) => `${l.name} (${l.addresses.join(', ')})`).join(', ') || 'none';
  return new DaemonError(
    { code: 'NO_UNDERLAY', ...(wanted === undefined ? {} : { wanted }) },
    `${why}; say which one carries the tunnels with --underlay LINK, ADDRESS or PREFIX; there are: ${choices}`,
  );
}
