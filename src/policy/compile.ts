/**
 * From a network's policies to nftables, for one host: what `decide` says to each flow of its containers.
 *
 * The table is of family inet, in the network's namespace, at the hook that bridged packets pass while the bridge has
 * `nf_call_iptables` and `nf_call_ip6tables` on: the bridge family has no connection tracking on many kernels. A packet
 * without a connection yet gets two numbers, for what it is (its cell) and for its peer (the identity), and one or two
 * chains for whom it is from and to. Each step is a look into one map, however many rules and containers there are.
 */
import { familyOf } from '../net/index.js';
import { nft } from '../netlink/index.js';
import { type Cells, cellsOf } from './cells.js';
import { DENIED, cellFinder, judgeSubject } from './judge-subject.js';
import type { NetworkPolicies } from './model.js';
import type { Numbers } from './numbers.js';
import { Peers } from './peers.js';
import { type Subject, subjectsOf } from './subjects.js';

export const POLICY_TABLE = { family: 'inet', name: 'weft-policy' } as const satisfies nft.TableRef;

export interface CompileOptions {
  /** Whose containers are judged: policies of others are their hosts' business. */
  readonly host: string;
  /** The same for every compilation of a network. */
  readonly numbers: Numbers;
}

/** The table that enforces the network's policies on a host; undefined where there is nothing to enforce. */
export function compile(
  network: NetworkPolicies,
  { host, numbers }: CompileOptions,
): nft.TableSpec | undefined {
  if (network.policies.length === 0 && network.default === 'open') return undefined;
  const peers = new Peers(network, numbers);
  const rules = network.policies.flatMap(({ ingress = [], egress = [] }) => [
    ...ingress,
    ...egress,
  ]);
  const matches = rules.flatMap(({ ports = [] }) => ports);
  const { cells, maps } = cellsOf(matches, peers.named, numbers);
  const senders = subjectsOf(network, peers, 'egress', host);
  const receivers = subjectsOf(network, peers, 'ingress', host);
  const cellsAbout = cellFinder(cells);
  const judged = [...senders, ...receivers].map((subject) =>
    judgeSubject(subject, { network, peers, cells, cellsAbout }),
  );
  return {
    ...POLICY_TABLE,
    sets: [
      ...cellMaps(maps),
      ...identityMaps(peers),
      ...subjectMaps('senders', senders),
      ...subjectMaps('receivers', receivers),
      ...judged.flatMap(({ sets }) => sets),
    ],
    chains: [...fixedChains, ...judged.map(({ chain }) => chain)],
  };
}

/** RFC 4861; whoever asks or answers here can only speak for itself, which the table against spoofing sees to. */
const ND = { solicit: 135, advert: 136 } as const;

const { rule, meta, ip, ip6, th, icmp, icmpv6, accept, drop, counter, ctMark, ctState, setMark } =
  nft;

const isNobody = ctMark.is(0);

const fixedChains: readonly nft.ChainSpec[] = [
  {
    name: 'forward',
    base: { type: 'filter', hook: 'forward', priority: 0, policy: 'drop' },
    rules: [
      rule('judged when it began', ctState('established', 'related'), accept),
      rule('neighbor discovery', icmpv6.type.is(ND.solicit), accept),
      rule('neighbor discovery', icmpv6.type.is(ND.advert), accept),
      rule('of no connection', ctState('invalid', 'untracked'), counter, drop),
      rule('from nobody until known', setMark.connection(0)),
      rule('from whom', ip.saddr.connectionMarkOf('identities4')),
      rule('from whom', ip6.saddr.connectionMarkOf('identities6')),
      rule('from nobody that is known', isNobody, counter, drop),
      rule('to nobody until known', setMark.connection(0)),
      rule('to whom', ip.daddr.connectionMarkOf('identities4')),
      rule('to whom', ip6.daddr.connectionMarkOf('identities6')),
      rule('to nobody that is known', isNobody, counter, drop),
      rule('of a protocol that no rule names, until known', setMark.packet(0)),
      rule('of which protocol', meta.l4proto.packetMarkOf('protocols')),
      rule('to which port', nft.concat(meta.l4proto, th.dport).packetMarkOf('ports')),
      rule('of which type', icmp.type.packetMarkOf('types4')),
      rule('of which type', icmpv6.type.packetMarkOf('types6')),
      rule('may it be sent', ip.saddr.verdictOf('senders4')),
      rule('may it be sent', ip6.saddr.verdictOf('senders6')),
      rule('from whom', ip.saddr.connectionMarkOf('identities4')),
      rule('from whom', ip6.saddr.connectionMarkOf('identities6')),
      rule('may it be received', ip.daddr.verdictOf('receivers4')),
      rule('may it be received', ip6.daddr.verdictOf('receivers6')),
      rule('nobody is against it', setMark.packet(0), accept),
    ],
  },
  { name: DENIED, rules: [rule(undefined, counter, drop)] },
];

function cellMaps(maps: Cells['maps']): nft.SetSpec[] {
  const map = (name: keyof Cells['maps'], ...type: nft.SetSpec['type']): nft.SetSpec => ({
    name,
    type,
    holds: 'marks',
    elements: maps[name],
  });
  return [
    map('protocols', 'inet_proto'),
    map('ports', 'inet_proto', 'inet_service'),
    map('types4', 'icmp_type'),
    map('types6', 'icmpv6_type'),
  ];
}

const families = [4, 6] as const;
const addressType = { 4: 'ipv4_addr', 6: 'ipv6_addr' } as const;

function identityMaps(peers: Peers): nft.SetSpec[] {
  const elements = Array.from(peers.parties, ([{ address, endpoint }, { number }]) => ({
    key: [address],
    mark: number,
    comment: endpoint?.facts?.name.slice(0, 127),
  }));
  return families.map((family) => ({
    name: `identities${family}`,
    type: [addressType[family]],
    holds: 'marks',
    elements: elements.filter(({ key: [address] }) => familyOf(address!) === family),
  }));
}

/** From the addresses of subjects to their chains. Who is in none is free to send, or to receive. */
function subjectMaps(name: 'senders' | 'receivers', subjects: readonly Subject[]): nft.SetSpec[] {
  const elements = subjects.flatMap((subject) =>
    subject.parties.map(({ address, endpoint }) => ({
      key: [address],
      verdict: { jump: subject.name },
      comment: endpoint?.facts?.name.slice(0, 127),
    })),
  );
  return families.map((family) => ({
    name: `${name}${family}`,
    type: [addressType[family]],
    holds: 'verdicts',
    elements: elements.filter(({ key: [address] }) => familyOf(address!) === family),
  }));
}
