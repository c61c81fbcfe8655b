/** From statements to expressions: what each statement needs to know of the packet is tested once, just before it. */
import { unencodable } from '../errors.js';
import { type Expression } from './expression.js';
import { meta } from './field.js';
import { type Need, type Statement } from './statement.js';
import { FAMILY, type NfFamily } from './wire.js';

const ARPHRD_ETHER = 1;
/** linux/if_ether.h ETH_P_* */
const ETHER_TYPE = { ip: 0x0800, ip6: 0x86dd, arp: 0x0806 } as const;
/** linux/in.h IPPROTO_* */
const TRANSPORT = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 } as const;

function networkTest(family: NfFamily, need: 'ip' | 'ip6' | 'arp'): readonly Expression[] {
  switch (family) {
    case 'netdev':
    case 'bridge':
      return meta.protocol.is(ETHER_TYPE[need]).expressions;
    case 'inet':
      if (need === 'arp') break;
      return meta.nfproto.is(FAMILY[need]).expressions;
    case 'ip':
    case 'ip6':
      if (need === family) return [];
  }
  throw unencodable('rule', undefined, `no ${need} passes a table of family ${family}`);
}

function test(family: NfFamily, need: Need): readonly Expression[] {
  if (need === 'ip' || need === 'ip6' || need === 'arp') return networkTest(family, need);
  if (need !== 'ether') return meta.l4proto.is(TRANSPORT[need]).expressions;
  return family === 'bridge' ? [] : meta.iiftype.is(ARPHRD_ETHER).expressions;
}

/** What has to hold first. */
const implied: { readonly [need in Need]?: Need } = { icmp: 'ip', icmpv6: 'ip6' };

/** Of each of these a packet is at most one. */
const layers: readonly ReadonlySet<Need>[] = [
  new Set(['ip', 'ip6', 'arp']),
  new Set(['icmp', 'tcp', 'udp', 'icmpv6']),
];

function checkTogether(known: ReadonlySet<Need>, need: Need): void {
  const other = [...known].find(
    (k) => k !== need && layers.some((layer) => layer.has(k) && layer.has(need)),
  );
  if (other !== undefined)
    throw unencodable('rule', undefined, `no packet is both ${other} and ${need}`);
}

/**
 * The expressions of a rule in a table of this family. Throws UNENCODABLE for what never matches: ARP in inet, IPv4 and
 * IPv6 in one rule.
 */
export function compile(family: NfFamily, statements: readonly Statement[]): Expression[] {
  const known = new Set<Need>();
  const expressions: Expression[] = [];
  for (const statement of statements) {
    for (const need of statement.needs.flatMap((n) => [implied[n] ?? n, n])) {
      if (known.has(need)) continue;
      checkTogether(known, need);
      known.add(need);
      expressions.push(...test(family, need));
    }
    expressions.push(...statement.expressions);
  }
  return expressions;
}
