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
  /** Another where connections that passed before have to be judged again; not 0. */
  readonly epoch: number;
}

/** The table that enforces the network's policies on a host; undefined where there is nothing to enforce. */
export function compile(
  network: NetworkPolicies,
  { host, numbers, epoch }: CompileOptions,
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
    chains: [forwardChain(epoch), deniedChain, ...judged.map(({ chain }) => chain)],
  };
}

/** RFC 4861; whoever asks or answers here can only speak for itself, which the table against spoofing sees to. */
const ND = { solicit: 135, advert: 136 } as const;

const {
  rule,
  meta,
  th,
  icmp,
  icmpv6,
  tcp,
  accept,
  drop,
  counter,
  ctMark,
  ctState,
  setMark,
  setPriority,
} = nft;
const { ip, ip6 } = nft.ctOriginal;
const goesOn = nft.ctDirection.is(0);
const answers = nft.ctDirection.is(1);

const isNobody = meta.priority.is(0);

/** Where Linux takes the ports of those who ask from, and where those who are asked listen: the border between them. */
const FIRST_EPHEMERAL = 32_768;

/** What a packet carries of its own judgement goes with it no further: no host routes or queues by it. */
const forgotten = [setMark.packet(0), setPriority(0)] as const;

/**
 * `epoch`: in the mark of each connection that passed. Those with another one were judged by other rules, and are judged again, as their
 * first packet was: by where it came from and went, whichever way this one goes. Nothing about the judgement is kept
 * in the connection but its end, for two packets of one may be judged at once.
 */
function forwardChain(epoch: number): nft.ChainSpec {
  return {
    name: 'forward',
    base: { type: 'filter', hook: 'forward', priority: 0, policy: 'drop' },
    rules: [
      rule('passed before', ctState('established', 'related'), ctMark.is(epoch), accept),
      rule('neighbor discovery', icmpv6.type.is(ND.solicit), accept),
      rule('neighbor discovery', icmpv6.type.is(ND.advert), accept),
      rule(
        'about a connection that is to be judged again first',
        ctState('related'),
        counter,
        drop,
      ),
      rule('of no connection', ctState('invalid', 'untracked'), counter, drop),
      // Untracked so far, since the network had no policy. Who began it is to go on first.
      rule(
        'older than the policy, from who seems to have been asked',
        ctState('new'),
        tcp.isNotFirst,
        tcp.sport.below(FIRST_EPHEMERAL),
        tcp.dport.atLeast(FIRST_EPHEMERAL),
        counter,
        drop,
      ),
      rule('from nobody until known', setPriority(0)),
      rule('from whom', ip.saddr.packetPriorityOf('identities4')),
      rule('from whom', ip6.saddr.packetPriorityOf('identities6')),
      rule('from nobody that is known', isNobody, counter, drop),
      rule('to nobody until known', setPriority(0)),
      rule('to whom', ip.daddr.packetPriorityOf('identities4')),
      rule('to whom', ip6.daddr.packetPriorityOf('identities6')),
      rule('to nobody that is known', isNobody, counter, drop),
      rule('of a protocol that no rule names, until known', setMark.packet(0)),
      rule('of which protocol', meta.l4proto.packetMarkOf('protocols')),
      rule('to which port', goesOn, nft.concat(meta.l4proto, th.dport).packetMarkOf('ports')),
      rule('of which type', goesOn, icmp.type.packetMarkOf('types4')),
      rule('of which type', goesOn, icmpv6.type.packetMarkOf('types6')),
      rule('from which port', answers, nft.concat(meta.l4proto, th.sport).packetMarkOf('ports')),
      rule('to which type', answers, icmp.type.packetMarkOf('answers4')),
      rule('to which type', answers, icmpv6.type.packetMarkOf('answers6')),
      rule('may it be sent', ip.saddr.verdictOf('senders4')),
      rule('may it be sent', ip6.saddr.verdictOf('senders6')),
      rule('from whom', ip.saddr.packetPriorityOf('identities4')),
      rule('from whom', ip6.saddr.packetPriorityOf('identities6')),
      rule('may it be received', ip.daddr.verdictOf('receivers4')),
      rule('may it be received', ip6.daddr.verdictOf('receivers6')),
      rule('nobody is against it', ...forgotten, setMark.connection(epoch), accept),
    ],
  };
}

const deniedChain: nft.ChainSpec = { name: DENIED, rules: [rule(undefined, counter, drop)] };

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
    map('answers4', 'icmp_type'),
    map('answers6', 'icmpv6_type'),
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
    holds: 'priorities',
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
