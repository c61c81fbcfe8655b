/**
 * From a network's policies to nftables, for one host: what `decide` says to each flow of its containers.
 *
 * The table is of family inet, in the network's namespace, at the hook that bridged packets pass while the bridge has
 * `nf_call_iptables` and `nf_call_ip6tables` on: the bridge family has no connection tracking on many kernels. A packet
 * without a connection yet gets two numbers, for what it is (its cell) and for its peer (the identity), and one or two
 * chains for whom it is from and to. Each step is a look into one map, however many rules and containers there are.
 */
import { randomInt } from 'node:crypto';
import { type Address, familyOf } from '../net/index.js';
import { nft } from '../netlink/index.js';
import { KeptCells } from './kept-cells.js';
import { DENIED, JudgedSubjects, LOGGED } from './judged-subjects.js';
import type { Party } from './match.js';
import type { NetworkPolicies } from './model.js';
import { Numbers } from './numbers.js';
import { type Known, Peers, sameItems } from './peers.js';
import { type Subject, Subjects } from './subjects.js';

export const POLICY_TABLE = { family: 'inet', name: 'weft-policy' } as const satisfies nft.TableRef;

/** The table that enforces a network's policies on a host, from nothing; undefined where there is nothing to enforce. */
export function compile(network: NetworkPolicies, host: string): nft.TableSpec | undefined {
  return new PolicyTable(host).update(network);
}

/** What in a table is about these addresses, wherever they are in it: whose they were is forgotten without it. */
export function aboutAddresses(addresses: readonly Address[]): nft.SetSpec[] {
  return families.flatMap((family) => {
    const own = addresses.filter((address) => familyOf(address) === family);
    const elements = own.map((address) => ({ key: [address] }));
    return ['identities', 'senders', 'receivers'].map((name) => ({
      name: `${name}${family}`,
      type: [addressType[family]],
      elements,
    }));
  });
}

/** Numbers are never given twice; of more than this many, most are those of what is long gone. */
const MAX_NUMBERS = 200_000;

/**
 * The table of one network on one host, kept up: what is not another than before is the same object in the next table, so that a change costs
 * what it changes.
 */
export class PolicyTable {
  readonly #host: string;
  #parts: Parts;
  #network: NetworkPolicies | undefined;
  /** Chances are that no connection has the mark of this epoch from before this process. */
  #epoch = randomInt(1, MAX_EPOCH);

  /** `host`: whose containers are judged; policies of others are their hosts' business. */
  constructor(host: string) {
    this.#host = host;
    this.#parts = partsOf(host);
  }

  /**
   * The table for this network; undefined where there is nothing to enforce. Policies and endpoints that are the same objects as before are
   * taken not to have changed.
   */
  update(network: NetworkPolicies): nft.TableSpec | undefined {
    const before = this.#network;
    this.#network = network;
    if (network.policies.length === 0 && network.default === 'open') {
      this.#parts = partsOf(this.#host);
      return undefined;
    }
    if (this.#parts.numbers.size > MAX_NUMBERS) this.#parts = partsOf(this.#host);
    const { peers, cells, senders, receivers, judged, addresses } = this.#parts;
    const { parties, lost } = peers.update(network);
    const isOther =
      before?.default !== network.default || !sameItems(before.policies, network.policies);
    // Whoever had an address must not leave its connections to the next; who is new has none.
    if (isOther || lost) this.#epoch = this.#epoch < MAX_EPOCH ? this.#epoch + 1 : 1;
    const cellsNow = cells.update(network.policies, peers.named);
    const [from, to] = [senders.update(network, peers), receivers.update(network, peers)];
    const own = judged.update([...from, ...to], { network, peers, cells: cellsNow });
    if (parties || !addresses.identities) {
      addresses.identities = identityMaps(peers, addresses.elements);
    }
    return {
      ...POLICY_TABLE,
      sets: [
        ...cellsNow.sets,
        ...addresses.identities,
        ...subjectMaps('senders', from),
        ...subjectMaps('receivers', to),
        ...own.flatMap(({ sets }) => sets),
      ],
      chains: [this.#forward(), deniedChain, loggedChain, ...own.flatMap(({ chains }) => chains)],
    };
  }

  #forward(): nft.ChainSpec {
    const { addresses } = this.#parts;
    if (addresses.forward?.epoch !== this.#epoch) {
      addresses.forward = { epoch: this.#epoch, chain: forwardChain(this.#epoch) };
    }
    return addresses.forward.chain;
  }
}

const MAX_EPOCH = 0xffff_fffe;

/** All that is kept from one table to the next. */
interface Parts {
  readonly numbers: Numbers;
  readonly peers: Peers;
  readonly cells: KeptCells;
  readonly senders: Subjects;
  readonly receivers: Subjects;
  readonly judged: JudgedSubjects;
  readonly addresses: {
    readonly elements: WeakMap<Known, nft.ElementSpec>;
    identities?: readonly nft.SetSpec[];
    forward?: { readonly epoch: number; readonly chain: nft.ChainSpec };
  };
}

function partsOf(host: string): Parts {
  const numbers = new Numbers();
  return {
    numbers,
    peers: new Peers(numbers),
    cells: new KeptCells(numbers),
    senders: new Subjects('egress', host),
    receivers: new Subjects('ingress', host),
    judged: new JudgedSubjects(),
    addresses: { elements: new WeakMap() },
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
      ...judgement,
      rule('nobody is against it', ...forgotten, setMark.connection(epoch), accept),
    ],
  };
}

/** The same in every table, and so worked out once. */
const judgement: readonly nft.RuleSpec[] = [
  rule('neighbor discovery', icmpv6.type.is(ND.solicit), accept),
  rule('neighbor discovery', icmpv6.type.is(ND.advert), accept),
  rule('about a connection that is to be judged again first', ctState('related'), counter, drop),
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
];

/** Where packets that are denied, or that a rule logs, can be heard of. */
export const LOG_GROUP = 4242;
/** A flood of denied packets is heard of, and costs nobody much. */
const HEARD = nft.limit(20, 'second', 50);

const deniedChain: nft.ChainSpec = {
  name: DENIED,
  rules: [rule('heard of', HEARD, nft.logTo(LOG_GROUP, DENIED)), rule(undefined, counter, drop)],
};
/** Comes back to where it was jumped from. */
const loggedChain: nft.ChainSpec = {
  name: LOGGED,
  rules: [rule('heard of', HEARD, nft.logTo(LOG_GROUP, LOGGED))],
};

const families = [4, 6] as const;
const addressType = { 4: 'ipv4_addr', 6: 'ipv6_addr' } as const;

function identityMaps(peers: Peers, elements: WeakMap<Known, nft.ElementSpec>): nft.SetSpec[] {
  const byFamily: Record<4 | 6, nft.ElementSpec[]> = { 4: [], 6: [] };
  for (const known of peers.known) {
    const { party, identity } = known;
    const element = elements.get(known) ?? {
      key: [party.address],
      mark: identity.number,
      comment: commentOf(party),
    };
    elements.set(known, element);
    byFamily[familyOf(party.address)].push(element);
  }
  return families.map((family) => ({
    name: `identities${family}`,
    type: [addressType[family]],
    holds: 'priorities',
    elements: byFamily[family],
  }));
}

const commentOf = ({ endpoint }: Party): string | undefined => endpoint?.facts?.name.slice(0, 127);

/** From the addresses of subjects to their chains. Who is in none is free to send, or to receive. */
function subjectMaps(name: 'senders' | 'receivers', subjects: readonly Subject[]): nft.SetSpec[] {
  const elements = subjects.flatMap((subject) =>
    subject.parties.map(({ address, endpoint }) => ({
      key: [address],
      verdict: { jump: subject.name },
      comment: commentOf({ address, endpoint }),
    })),
  );
  return families.map((family) => ({
    name: `${name}${family}`,
    type: [addressType[family]],
    holds: 'verdicts',
    elements: elements.filter(({ key: [address] }) => familyOf(address!) === family),
  }));
}
