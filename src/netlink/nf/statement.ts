/**
 * Statements, the parts of a rule: matches (made by the fields of field.ts), actions and verdicts.
 *
 * A statement knows its expressions and what must be known of the packet for them to make sense; rule.ts puts the tests
 * for that in front, as nft does, which also lets `nft list` print the rule as a person would write it.
 */
import { type Address, addressToBytes, familyOf } from '../../net/index.js';
import { type Expression, VERDICT, VERDICT_REGISTER } from './expression.js';
import { register } from './data-type.js';
import { FAMILY } from './wire.js';

/** What the packet must be: on Ethernet, of this network protocol, of this transport. */
export type Need = 'ether' | 'ip' | 'ip6' | 'arp' | 'tcp' | 'udp' | 'icmp' | 'icmpv6';

export interface Statement {
  readonly needs: readonly Need[];
  readonly expressions: readonly Expression[];
}

/** The packet is of this kind, and nothing more is asked. */
export const isA = (need: Need): Statement => ({ needs: [need], expressions: [] });

const action = (...expressions: readonly Expression[]): Statement => ({ needs: [], expressions });

const verdict = (code: number, chain?: string): Statement =>
  action({
    kind: 'immediate',
    data: { dreg: VERDICT_REGISTER, data: { verdict: { code, chain } } },
  });

export const accept = verdict(VERDICT.accept);
export const drop = verdict(VERDICT.drop);
/** Back to the chain that jumped here; in a base chain, to its policy. */
export const returnToCaller = verdict(VERDICT.return);
export const jump = (chain: string): Statement => verdict(VERDICT.jump, chain);
export const goto = (chain: string): Statement => verdict(VERDICT.goto, chain);

/** Counts packets and octets that got this far in the rule. */
export const counter = action({ kind: 'counter', data: {} });

/** Connection tracking passes the packet over; in chains that come before it (priority below -200). */
export const notrack = action({ kind: 'notrack' });

const unitsSec = { second: 1n, minute: 60n, hour: 3600n, day: 86_400n } as const;

/** Matches at most this many packets a unit of time. */
export function limit(packets: number, per: keyof typeof unitsSec, burst = 5): Statement {
  const data = { rate: BigInt(packets), unitSec: unitsSec[per], burst, type: 0, flags: 0 };
  return action({ kind: 'limit', data });
}

/** Writes to the kernel's log; `prefix` is at most 127 octets. */
export const log = (prefix: string): Statement => action({ kind: 'log', data: { prefix } });

/** Gives the packet's first octets to whoever listens to the group, see packet-log.ts; without one, nothing. */
export const logTo = (group: number, prefix: string): Statement =>
  action({ kind: 'log', data: { prefix, group, snapLength: 256, queueThreshold: 1 } });

/** nf_tables.h NFT_REJECT_*: `port` answers ICMP port unreachable, whichever family; `tcpReset` needs TCP. */
export const reject = {
  port: action({ kind: 'reject', data: { type: 2, code: 1 } }),
  adminProhibited: action({ kind: 'reject', data: { type: 2, code: 3 } }),
  tcpReset: { needs: ['tcp'], expressions: [{ kind: 'reject', data: { type: 1, code: 0 } }] },
} as const satisfies Record<string, Statement>;

/** Sends the packet, and those of its connection, to another address and port; in chains of type nat. */
export function dnat(to: Address, port: number): Statement {
  const octets = Buffer.alloc(2);
  octets.writeUInt16BE(port);
  const isIpv4 = familyOf(to) === 4;
  const [first, second] = [register(0), register(4)];
  return {
    needs: [isIpv4 ? 'ip' : 'ip6'],
    expressions: [
      { kind: 'immediate', data: { dreg: first, data: { value: addressToBytes(to) } } },
      { kind: 'immediate', data: { dreg: second, data: { value: octets } } },
      {
        kind: 'nat',
        data: {
          type: 1, // NFT_NAT_DNAT
          family: FAMILY[isIpv4 ? 'ip' : 'ip6'],
          addressMin: first,
          portMin: second,
          flags: 2, // NF_NAT_RANGE_PROTO_SPECIFIED
        },
      },
    ],
  };
}
