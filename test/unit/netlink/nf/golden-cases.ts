/**
 * Tables as a person writes them for nft, and as we say the same.
 *
 * What nft sends for them is in test/fixtures/netlink/nf/NAME.hex, captured by test/kernel/netlink/capture-nft.ts.
 */
import { type Address, type Mac, type Prefix } from '../../../../src/net/index.js';
import { nft } from '../../../../src/netlink/index.js';

export interface NftCase {
  readonly name: string;
  readonly text: string;
  readonly spec: nft.TableSpec;
}

const address = (text: string) => text as Address;
const mac = (text: string) => text as Mac;
const { arp, counter, drop, ether, icmpv6, ip, ip6, meta, rule, tcp, udp } = nft;

/** Only hosts of the cluster may send to the VXLAN port. */
const vteps: NftCase = {
  name: 'vteps',
  text: `table inet weft {
  comment "weft: the underlay"
  set known_vteps_v4 {
    type ipv4_addr
    comment "hosts of the cluster"
    elements = { 192.0.2.1, 192.0.2.2 comment "h2" }
  }
  set known_vteps_v6 {
    type ipv6_addr
    elements = { 2001:db8::1 }
  }
  chain input {
    comment "only hosts of the cluster may send to us"
    type filter hook input priority -150; policy accept;
    udp dport 4789 ip saddr != @known_vteps_v4 counter drop comment "not a known vtep"
    udp dport 4789 ip6 saddr != @known_vteps_v6 counter drop comment "not a known vtep"
  }
}`,
  spec: {
    family: 'inet',
    name: 'weft',
    comment: 'weft: the underlay',
    sets: [
      {
        name: 'known_vteps_v4',
        type: ['ipv4_addr'],
        comment: 'hosts of the cluster',
        elements: [{ key: ['192.0.2.1'] }, { key: ['192.0.2.2'], comment: 'h2' }],
      },
      { name: 'known_vteps_v6', type: ['ipv6_addr'], elements: [{ key: ['2001:db8::1'] }] },
    ],
    chains: [
      {
        name: 'input',
        comment: 'only hosts of the cluster may send to us',
        base: { type: 'filter', hook: 'input', priority: -150 },
        rules: [
          rule(
            'not a known vtep',
            udp.dport.is(4789),
            ip.saddr.notIn('known_vteps_v4'),
            counter,
            drop,
          ),
          rule(
            'not a known vtep',
            udp.dport.is(4789),
            ip6.saddr.notIn('known_vteps_v6'),
            counter,
            drop,
          ),
        ],
      },
    ],
  },
};

const v4 = nft.concat(meta.iifname, ether.saddr, ip.saddr);
const arpSender = nft.concat(meta.iifname, arp.saddrEther, arp.saddrIp);
const v6 = nft.concat(meta.iifname, ether.saddr, ip6.saddr);

/** Nobody sends with another's MAC or address. One chain for all ports of the bridge, elements for each endpoint. */
const ports: NftCase = {
  name: 'ports',
  text: `table bridge weft {
  set own_mac {
    type ifname . ether_addr
    elements = { "v0" . 02:00:00:00:00:01 comment "endpoint 1" }
  }
  set own_v4 {
    type ifname . ether_addr . ipv4_addr
    elements = { "v0" . 02:00:00:00:00:01 . 10.1.0.2 }
  }
  set own_v6 {
    type ifname . ether_addr . ipv6_addr
    elements = { "v0" . 02:00:00:00:00:01 . fd00::2, "v0" . 02:00:00:00:00:01 . fe80::ff:fe00:1 }
  }
  chain from {
    type filter hook prerouting priority -300; policy drop;
    iifname "vxlan0" accept comment "from other hosts"
    ether type 8021q counter drop comment "no tags"
    iifname . ether saddr != @own_mac counter drop comment "a mac not its own"
    meta protocol ip iifname . ether saddr . ip saddr @own_v4 accept
    meta protocol arp iifname . arp saddr ether . arp saddr ip @own_v4 accept
    meta protocol ip6 iifname . ether saddr . ip6 saddr @own_v6 accept
    meta protocol ip6 ip6 saddr :: icmpv6 type nd-neighbor-solicit accept comment "duplicate address detection"
    counter comment "an address not its own"
  }
}`,
  spec: {
    family: 'bridge',
    name: 'weft',
    sets: [
      {
        name: 'own_mac',
        type: ['ifname', 'ether_addr'],
        elements: [{ key: ['v0', '02:00:00:00:00:01'], comment: 'endpoint 1' }],
      },
      {
        name: 'own_v4',
        type: ['ifname', 'ether_addr', 'ipv4_addr'],
        elements: [{ key: ['v0', '02:00:00:00:00:01', '10.1.0.2'] }],
      },
      {
        name: 'own_v6',
        type: ['ifname', 'ether_addr', 'ipv6_addr'],
        elements: [
          { key: ['v0', '02:00:00:00:00:01', 'fd00::2'] },
          { key: ['v0', '02:00:00:00:00:01', 'fe80::ff:fe00:1'] },
        ],
      },
    ],
    chains: [
      {
        name: 'from',
        base: { type: 'filter', hook: 'prerouting', priority: -300, policy: 'drop' },
        rules: [
          rule('from other hosts', meta.iifname.is('vxlan0'), nft.accept),
          rule('no tags', ether.type.is(0x8100), counter, drop),
          rule(
            'a mac not its own',
            nft.concat(meta.iifname, ether.saddr).notIn('own_mac'),
            counter,
            drop,
          ),
          rule(undefined, v4.in('own_v4'), nft.accept),
          rule(undefined, arpSender.in('own_v4'), nft.accept),
          rule(undefined, v6.in('own_v6'), nft.accept),
          rule(
            'duplicate address detection',
            ip6.saddr.is(address('::')),
            icmpv6.type.is(135),
            nft.accept,
          ),
          rule('an address not its own', counter),
        ],
      },
    ],
  },
};

/** The same for one link, by a chain of its own that runs before the bridge. */
const ingress: NftCase = {
  name: 'ingress',
  text: `table netdev weft {
  chain from_v0 {
    type filter hook ingress device "v0" priority -300; policy accept;
    ether saddr != 02:00:00:00:00:01 counter drop
    ether type 8021q drop
    ip saddr != 10.1.0.2 drop
    arp saddr ip != 10.1.0.2 drop
    ip6 saddr fe80::/10 accept
    ip6 saddr != fd00::2 drop
    icmpv6 type nd-neighbor-advert @th,64,128 != 0xfd000000000000000000000000000002 drop
  }
}`,
  spec: {
    family: 'netdev',
    name: 'weft',
    chains: [
      {
        name: 'from_v0',
        base: { type: 'filter', hook: 'ingress', priority: -300, devices: ['v0'] },
        rules: [
          rule(undefined, ether.saddr.not(mac('02:00:00:00:00:01')), counter, drop),
          rule(undefined, ether.type.is(0x8100), drop),
          rule(undefined, ip.saddr.not(address('10.1.0.2')), drop),
          rule(undefined, arp.saddrIp.not(address('10.1.0.2')), drop),
          rule(undefined, ip6.saddr.within('fe80::/10' as Prefix), nft.accept),
          rule(undefined, ip6.saddr.not(address('fd00::2')), drop),
          rule(undefined, icmpv6.type.is(136), icmpv6.target.not(address('fd00::2')), drop),
        ],
      },
    ],
  },
};

/** Everything else that the language has. */
const words: NftCase = {
  name: 'words',
  text: `table inet words {
  map from {
    type ipv4_addr . inet_service : verdict
    comment "who goes where"
    elements = { 10.0.0.1 . 80 : accept, 10.0.0.2 . 80 comment "two" : jump other }
  }
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    ct state invalid drop
    iif 1 accept
    meta l4proto tcp ip saddr . tcp dport vmap @from
    meta mark 7 goto other
    tcp dport 22 reject with tcp reset
    ip saddr 172.16.0.0/12 reject with icmpx admin-prohibited
    icmp type echo-request limit rate 10/minute burst 7 packets accept
    meta nfproto ipv6 log prefix "weft: " reject with icmpx port-unreachable
  }
  chain other {
    return
  }
}`,
  spec: {
    family: 'inet',
    name: 'words',
    sets: [
      {
        name: 'from',
        type: ['ipv4_addr', 'inet_service'],
        holds: 'verdicts',
        comment: 'who goes where',
        elements: [
          { key: ['10.0.0.1', 80], verdict: 'accept' },
          { key: ['10.0.0.2', 80], verdict: { jump: 'other' }, comment: 'two' },
        ],
      },
    ],
    chains: [
      {
        name: 'input',
        base: { type: 'filter', hook: 'input', priority: 0, policy: 'drop' },
        rules: [
          rule(undefined, nft.ctState('established', 'related'), nft.accept),
          rule(undefined, nft.ctState('invalid'), drop),
          rule(undefined, meta.iif.is(1), nft.accept),
          rule(undefined, nft.isA('tcp'), nft.concat(ip.saddr, tcp.dport).verdictOf('from')),
          rule(undefined, meta.mark.is(7), nft.goto('other')),
          rule(undefined, tcp.dport.is(22), nft.reject.tcpReset),
          rule(undefined, ip.saddr.within('172.16.0.0/12' as Prefix), nft.reject.adminProhibited),
          rule(undefined, nft.icmp.type.is(8), nft.limit(10, 'minute', 7), nft.accept),
          rule(undefined, nft.isA('ip6'), nft.log('weft: '), nft.reject.port),
        ],
      },
      { name: 'other', rules: [rule(undefined, nft.returnToCaller)] },
    ],
  },
};

/** A tunnel that connection tracking need not know. */
const untracked: NftCase = {
  name: 'untracked',
  text: `table inet weft {
  chain output {
    type filter hook output priority -300; policy accept;
    udp dport 4789 notrack
  }
}`,
  spec: {
    family: 'inet',
    name: 'weft',
    chains: [
      {
        name: 'output',
        base: { type: 'filter', hook: 'output', priority: -300 },
        rules: [rule(undefined, udp.dport.is(4789), nft.notrack)],
      },
    ],
  },
};

/** Docker's resolver, taken over before Docker's own rule. */
const resolver: NftCase = {
  name: 'resolver',
  text: `table ip weft {
  chain names {
    type nat hook output priority -110; policy accept;
    ip daddr 127.0.0.11 udp dport 53 dnat to 127.0.0.53:5353 comment "names"
  }
}`,
  spec: {
    family: 'ip',
    name: 'weft',
    chains: [
      {
        name: 'names',
        base: { type: 'nat', hook: 'output', priority: -110 },
        rules: [
          rule(
            'names',
            ip.daddr.is(address('127.0.0.11')),
            udp.dport.is(53),
            nft.dnat(address('127.0.0.53'), 5353),
          ),
        ],
      },
    ],
  },
};

/** What is decided from where a packet goes and what it is, by numbers for both. */
const marks: NftCase = {
  name: 'marks',
  text: `table inet weft {
  map identities {
    type ipv4_addr : mark
    elements = { 10.0.0.1 comment "a" : 0x00000001, 10.0.0.2 : 0x00000102 }
  }
  map cells {
    type inet_proto . inet_service : mark
    elements = { tcp . 80 : 0x00000005 }
  }
  map verdicts {
    type mark . mark : verdict
    elements = { 0x00000001 . 0x00000005 : accept }
  }
  chain forward {
    type filter hook forward priority 0; policy drop;
    meta mark set 0x00000000
    ct mark set 0x00000000
    meta mark set meta l4proto . th dport map @cells
    ct mark set ip daddr map @identities
    ct mark . meta mark vmap @verdicts
    ct mark 0x00000001 accept
  }
}`,
  spec: {
    family: 'inet',
    name: 'weft',
    sets: [
      {
        name: 'identities',
        type: ['ipv4_addr'],
        holds: 'marks',
        elements: [
          { key: ['10.0.0.1'], mark: 1, comment: 'a' },
          { key: ['10.0.0.2'], mark: 0x102 },
        ],
      },
      {
        name: 'cells',
        type: ['inet_proto', 'inet_service'],
        holds: 'marks',
        elements: [{ key: [6, 80], mark: 5 }],
      },
      {
        name: 'verdicts',
        type: ['mark', 'mark'],
        holds: 'verdicts',
        elements: [{ key: [1, 5], verdict: 'accept' }],
      },
    ],
    chains: [
      {
        name: 'forward',
        base: { type: 'filter', hook: 'forward', priority: 0, policy: 'drop' },
        rules: [
          rule(undefined, nft.setMark.packet(0)),
          rule(undefined, nft.setMark.connection(0)),
          rule(undefined, nft.concat(meta.l4proto, nft.th.dport).packetMarkOf('cells')),
          rule(undefined, ip.daddr.connectionMarkOf('identities')),
          rule(undefined, nft.concat(nft.ctMark, meta.mark).verdictOf('verdicts')),
          rule(undefined, nft.ctMark.is(1), nft.accept),
        ],
      },
    ],
  },
};

export const cases: readonly NftCase[] = [vteps, ports, ingress, words, untracked, resolver, marks];
