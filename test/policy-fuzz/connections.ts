/** Connections that are begun under one network's policies and go on under the next one's. */
import type { NetworkPolicies } from '../../src/policy/index.js';
import type { Packet } from '../helpers/policy-lab.js';
import { passesHere } from './passes.js';
import { packets } from './world.js';

/** For so many changes a connection is followed: one that is cut may be let on again. */
const FOLLOWED = 2;
/**
 * One packet in so many begins a connection, others in other rounds: the kernel has room for so many only. Odd, for pairs have
 * sixteen packets each, and all of them would begin the same ones.
 */
const SHARE = 7;
/** Below those that connections begin at on networks that had no policy until then. */
const FIRST_PORT = 12_000;
const PORTS = 20_000;

/** A connection, by its first packet, and in how many rounds more it is tried. */
interface Begun {
  readonly asked: Packet;
  readonly rounds: number;
}

export interface ConnectionsReport {
  wentOn: number;
  cut: number;
  readonly wrong: string[];
}

/** Sends packets and answers, for each, whether it arrived. */
type Probe = (packets: readonly Packet[]) => boolean[];

/** What begins connections in a round, each with a port of the round's own. SCTP would need an association. */
export function beginningsIn(round: number): Packet[] {
  const sourcePort = FIRST_PORT + (round % PORTS);
  return packets
    .filter(({ protocol }, i) => protocol !== 'sctp' && (i + round) % SHARE === 0)
    .map((packet) => ({ ...packet, sourcePort }));
}

/** Follows connections from one network to the next: first `goOn`, once a network is enforced, then `begin`. */
export class Connections {
  readonly #probe: Probe;
  #begun: readonly Begun[] = [];
  readonly report: ConnectionsReport = { wentOn: 0, cut: 0, wrong: [] };

  constructor(probe: Probe) {
    this.#probe = probe;
  }

  /** Sends more of each connection, of one half the one way and of the other half the other way, and compares. */
  goOn(some: NetworkPolicies, round: number): void {
    const sent = this.#begun.map(({ asked }, i) =>
      (i + round) % 2 === 0 ? answerTo(asked) : { ...asked, isLater: true },
    );
    const arrived = this.#probe(sent);
    for (const [i, { asked }] of this.#begun.entries()) {
      const expected = passesHere(some, asked);
      this.report[expected ? 'wentOn' : 'cut'] += 1;
      if (arrived[i] === expected) continue;
      const what = `round ${round}: connection ${JSON.stringify(asked)}, next ${JSON.stringify(sent[i])}`;
      this.report.wrong.push(`${what} ${expected ? 'was dropped' : 'passed'}`);
    }
    this.#begun = this.#begun.flatMap(({ asked, rounds }) =>
      rounds > 1 ? [{ asked, rounds: rounds - 1 }] : [],
    );
  }

  /** Begins connections, and has those answered that are allowed. */
  begin(some: NetworkPolicies, round: number): void {
    // Nothing keeps count of connections then.
    if (some.policies.length === 0 && some.default === 'open') {
      this.#begun = [];
      return;
    }
    const beginnings = beginningsIn(round);
    const began = this.#probe(beginnings);
    const open = beginnings.filter((_, i) => began[i]);
    const answered = this.#probe(open.map(answerTo));
    for (const [i, asked] of open.entries()) {
      if (answered[i]) continue;
      this.report.wrong.push(`round ${round}: the answer to ${JSON.stringify(asked)} was dropped`);
    }
    this.#begun = [...this.#begun, ...open.map((asked) => ({ asked, rounds: FOLLOWED }))];
  }
}

/** What answers a packet, which says what port or number it is sent from. */
function answerTo(packet: Packet): Packet {
  const { source: destination, destination: source, sourcePort = 0 } = packet;
  const ends = { source, destination };
  if ('type' in packet) {
    const { protocol } = packet;
    return { ...ends, protocol, type: protocol === 'icmp' ? 0 : 129, sourcePort };
  }
  if (!('port' in packet)) return { ...ends, protocol: packet.protocol };
  const { protocol, port } = packet;
  return { ...ends, protocol, port: sourcePort, sourcePort: port, isAnswer: true };
}
