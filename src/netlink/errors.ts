import { constants } from 'node:os';
import { AppError } from '../util/index.js';

export type NetlinkDetail =
  /** The kernel refused a message; `code` is the errno's name ("EEXIST"). */
  | {
      readonly code: `E${string}`;
      readonly errno: number;
      /** Kind of the message that was refused ("RTM_NEWLINK"). */
      readonly op: string;
      /** The kernel's own words, from the extended ack. */
      readonly extack?: string | undefined;
      /** The attribute the kernel pointed at, or missed ("IFLA_VXLAN.id"). */
      readonly attribute?: string | undefined;
    }
  /** Octets that are not what the table says. `offset` counts from the start of the datagram or buffer that was read. */
  | {
      readonly code: 'MALFORMED';
      readonly table: string;
      readonly type?: number | undefined;
      readonly field?: string | undefined;
      readonly offset: number;
    }
  /** A value that the table cannot carry: out of range, too long, or a field the table does not have. */
  | { readonly code: 'UNENCODABLE'; readonly table: string; readonly field?: string | undefined }
  /** The kernel answered nothing, or not all: replies were lost, or the socket is in use elsewhere. */
  | { readonly code: 'NO_REPLY'; readonly op: string }
  /** A dump was interrupted by changes, or overran, as often as we were willing to try again. */
  | { readonly code: 'INTERRUPTED'; readonly op: string; readonly attempts: number }
  | { readonly code: 'CLOSED' };

export class NetlinkError extends AppError<NetlinkDetail> {
  override readonly name = 'NetlinkError';
}

const errnoNames = new Map<number, `E${string}`>();
for (const [name, number] of Object.entries(constants.errno)) {
  // The first name wins: EAGAIN before EWOULDBLOCK.
  if (!errnoNames.has(number)) errnoNames.set(number, name as `E${string}`);
}
errnoNames.set(95, 'EOPNOTSUPP'); // Node lists ENOTSUP first; the kernel and iproute2 say EOPNOTSUPP
errnoNames.set(524, 'ENOTSUPP'); // include/linux/errno.h; leaks to user space

/** The name of a positive errno; "E" and the number when it has none. */
export function errnoName(errno: number): `E${string}` {
  return errnoNames.get(errno) ?? `E${errno}`;
}

export function malformed(
  at: { table: string; type?: number; field?: string; offset: number },
  why: string,
): NetlinkError {
  const where = at.type === undefined ? at.table : `${at.table} attribute ${at.type}`;
  const field = at.field === undefined ? '' : ` (${at.field})`;
  return new NetlinkError(
    { code: 'MALFORMED', ...at },
    `${where}${field} at offset ${at.offset}: ${why}`,
  );
}

export function unencodable(table: string, field: string | undefined, why: string): NetlinkError {
  const where = field === undefined ? table : `${table}.${field}`;
  return new NetlinkError({ code: 'UNENCODABLE', table, field }, `${where}: ${why}`);
}
