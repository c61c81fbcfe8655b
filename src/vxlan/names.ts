/** Names and marks of what we make in the kernel: by them a later start knows its own. */
import { createHash } from 'node:crypto';
import { type Address, type Mac, type Vni, macFromBytes } from '../net/index.js';
import { VxlanError } from './errors.js';

export const BRIDGE = 'br0';
export const VXLAN = 'vxlan0';

/** Digits of an endpoint's id in a link's name: IFNAMSIZ leaves 15 octets. */
const ID_DIGITS = 11;

/** The namespace of a network. Throws INVALID_ID, so that no id can name another file. */
export function netnsName(networkId: string): string {
  if (!/^[0-9a-f]{12}$/.test(networkId)) {
    throw new VxlanError(
      { code: 'INVALID_ID', id: networkId },
      `network id ${JSON.stringify(networkId)} is not 12 hex digits`,
    );
  }
  return `weft-${networkId}`;
}

/** The network whose namespace a file of this name is; undefined for names that are not ours. */
export function networkOfNetns(name: string): string | undefined {
  return /^weft-([0-9a-f]{12})$/.exec(name)?.[1];
}

function shortId(endpointId: string): string {
  if (!/^[0-9a-f]{64}$/.test(endpointId)) {
    throw new VxlanError(
      { code: 'INVALID_ID', id: endpointId },
      `endpoint id ${JSON.stringify(endpointId)} is not 64 hex digits`,
    );
  }
  return endpointId.slice(0, ID_DIGITS);
}

/** The container's end of a veth while it is in the host's namespace; Docker renames it. Throws INVALID_ID. */
export const containerLink = (endpointId: string): string => `weft${shortId(endpointId)}`;

/** Our end of a veth, a port of the network's bridge. Throws INVALID_ID. */
export const portLink = (endpointId: string): string => `port${shortId(endpointId)}`;

export const isContainerLink = (name: string): boolean => /^weft[0-9a-f]{11}$/.test(name);
export const isPortLink = (name: string): boolean => /^port[0-9a-f]{11}$/.test(name);

/** The alias that marks a link as ours: of a network, or of one endpoint on it. */
export function markOf(networkId: string, endpointId?: string): string {
  return endpointId === undefined ? `weft:${networkId}` : `weft:${networkId}:${endpointId}`;
}

/** Whose mark an alias is; undefined for aliases that are not ours. */
export function parseMark(
  alias: string | undefined,
): { readonly networkId: string; readonly endpointId?: string } | undefined {
  const match = /^weft:([0-9a-f]{12})(?::([0-9a-f]{64}))?$/.exec(alias ?? '');
  if (!match) return undefined;
  const [, networkId, endpointId] = match;
  return { networkId: networkId!, ...(endpointId !== undefined && { endpointId }) };
}

/**
 * MACs of a network's own links on this host: the same each time and given when the link is made, so that no udev policy
 * (systemd's MACAddressPolicy=persistent) and no new port of the bridge ever changes them. Locally administered, and apart
 * from those of endpoints (02:42, 02:46).
 */
export function linkMac(link: typeof BRIDGE | typeof VXLAN, vtep: Address, vni: Vni): Mac {
  const hash = createHash('sha256').update(`${link} ${vtep} ${vni}`).digest();
  return macFromBytes(Uint8Array.of(0x0e, ...hash.subarray(0, 5)));
}
