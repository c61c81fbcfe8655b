import { AppError } from '../util/index.js';

export type VxlanDetail =
  /** A call about a network that was never ensured, or is deleted. */
  | { readonly code: 'UNKNOWN_NETWORK'; readonly network: string }
  /** Not an id that can name kernel objects: 12 hex digits for a network, 64 for an endpoint. */
  | { readonly code: 'INVALID_ID'; readonly id: string }
  /** Another VXLAN link of this host has the VNI on the same UDP port; the kernel allows one. */
  | {
      readonly code: 'VNI_TAKEN';
      readonly vni: number;
      readonly port: number;
      /** Who has it, as far as could be found. */
      readonly link?: string | undefined;
      readonly netns?: string | undefined;
      readonly network?: string | undefined;
    }
  /** The name of a link that must be made belongs to a link that is not ours. */
  | { readonly code: 'LINK_TAKEN'; readonly link: string }
  /** The container's link is gone, and only Docker can put another in its place. */
  | { readonly code: 'LINK_LOST'; readonly link: string }
  /** Its rules would not be asked about bridged packets; so nothing passes. */
  | { readonly code: 'NO_BRIDGE_NETFILTER' }
  /** A peer that would corrupt the tables: its MAC is a group address or zero. */
  | { readonly code: 'INVALID_PEER'; readonly vtep: string; readonly mac: string }
  /** Some objects of a network could not be made right; they are tried again. */
  | { readonly code: 'DEGRADED'; readonly network: string; readonly failures: number }
  | { readonly code: 'CLOSED' };

export class VxlanError extends AppError<VxlanDetail> {
  override readonly name = 'VxlanError';
}

/** True for an error with one of these errno names, from netlink or from Node. */
export function hasErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(error.code as string);
}
