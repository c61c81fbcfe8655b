import test from 'ava';
import { encodeBatch, splitDatagram } from '../../../src/netlink/message.js';
import { fixture } from './fixtures.js';
import { cases } from './golden-cases.js';

/** Octets of the struct before the attributes, by message type / 4. */
const heads = new Map([
  [4, 16],
  [5, 8],
  [6, 12],
  [7, 12],
  [27, 16],
]);

interface Node {
  readonly type: number;
  readonly payload: Payload;
}
type Payload = string | readonly (string | Node)[];

function parse(octets: Buffer): Node[] | undefined {
  const nodes: Node[] = [];
  let at = 0;
  while (at < octets.length) {
    const length = octets.length - at < 4 ? 0 : octets.readUInt16LE(at);
    if (length < 4 || at + length > octets.length) return undefined;
    const payload = canonical(octets.subarray(at + 4, at + length));
    nodes.push({ type: octets.readUInt16LE(at + 2), payload });
    at += (length + 3) & ~3;
  }
  const keyed = nodes.map((node) => [JSON.stringify(node), node] as const);
  return keyed.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, node]) => node);
}

/**
 * Attributes in an order of their own, since nobody promises one; every octet besides that order counts. Whatever parses
 * as attributes to the last octet is taken for a nest, also behind an ifinfomsg: rightly or not, it is so on both sides.
 */
function canonical(octets: Buffer): Payload {
  const hex = octets.toString('hex');
  const behindHead = octets.length > 16 ? parse(octets.subarray(16)) : undefined;
  return parse(octets) ?? (behindHead ? [hex.slice(0, 32), ...behindHead] : hex);
}

function describe(octets: Buffer) {
  const [m] = splitDatagram(octets);
  const head = m!.at + heads.get(m!.type >> 2)!;
  return {
    type: m!.type,
    flags: m!.flags,
    length: m!.length,
    head: octets.toString('hex', m!.at, head),
    attributes: canonical(octets.subarray(head, m!.at + m!.length)),
  };
}

for (const c of cases) {
  test(`golden > sends what iproute2 sends for: ${c.command}`, (t) => {
    t.deepEqual(describe(encodeBatch([c.message], 1).octets), describe(fixture(c.name)));
  });

  test(`golden > reads and writes again, octet for octet: ${c.command}`, (t) => {
    const octets = fixture(c.name);
    const [m] = splitDatagram(octets);
    const value = c.message.kind.codec.read(m!.from, m!.at, m!.length);
    const { octets: again } = encodeBatch([{ ...c.message, value }], m!.sequence);
    t.is(again.toString('hex', 16), octets.toString('hex', 16));
  });
}
