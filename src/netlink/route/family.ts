import { type Address, type Family, familyOf } from '../../net/index.js';

/** linux/socket.h AF_* */
export const AF = { UNSPEC: 0, INET: 2, BRIDGE: 7, INET6: 10 } as const;

/** AF_INET or AF_INET6; AF_UNSPEC, which dumps both, when none is given. */
export function afOf(family: Family | undefined): number {
  if (family === undefined) return AF.UNSPEC;
  return family === 4 ? AF.INET : AF.INET6;
}

export const afOfAddress = (address: Address): number => afOf(familyOf(address));

export const isIp = (af: number): boolean => af === AF.INET || af === AF.INET6;
