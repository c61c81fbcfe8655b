/**
 * What a flow is to the rules of a network, as one number: its cell.
 *
 * Ports that the same matches of the same rules hold are one cell; so is what is left of a protocol, and all protocols that
 * no rule names. So a rule about a range costs an element in a verdict map, not one for each port.
 */
import type { nft } from '../netlink/index.js';
import type { FlowProtocol, PortMatch } from './model.js';
import type { Numbers } from './numbers.js';

/** linux/in.h IPPROTO_*, and what of a packet tells its flows apart. */
const PROTOCOLS = {
  tcp: { number: 6, map: 'ports' },
  udp: { number: 17, map: 'ports' },
  sctp: { number: 132, map: 'ports' },
  icmp: { number: 1, map: 'types4' },
  icmpv6: { number: 58, map: 'types6' },
} as const;
type Protocol = keyof typeof PROTOCOLS;

type MapName = 'protocols' | 'ports' | 'types4' | 'types6' | 'answers4' | 'answers6';

export interface Cell {
  /** 0 for protocols that no rule names. */
  readonly number: number;
  readonly title: string;
  /** One of its flows, for all of them are alike. */
  readonly example: FlowProtocol;
}

/** The cells, and the maps by which a packet finds its own; `answers` are from types of answers, to find that of what was asked. */
export interface Cells {
  readonly cells: readonly Cell[];
  readonly maps: Readonly<Record<MapName, nft.ElementSpec[]>>;
}

/** From one number to another, both included. */
interface Interval {
  readonly first: number;
  readonly last: number;
}

/** `named` is all that names of ports stand for, as labels have it: `8080/tcp`. */
export function cellsOf(
  matches: readonly PortMatch[],
  named: ReadonlySet<string>,
  numbers: Numbers,
): Cells {
  const cells: Cell[] = [{ number: 0, title: 'other protocols', example: { protocol: 255 } }];
  const maps: Cells['maps'] = {
    protocols: [],
    ports: [],
    types4: [],
    types6: [],
    answers4: [],
    answers6: [],
  };
  const add = (title: string, example: FlowProtocol): number => {
    const number = numbers.of(`cell ${title}`);
    cells.push({ number, title, example });
    return number;
  };
  for (const [name, { number, map }] of Object.entries(PROTOCOLS)) {
    const protocol = name as Protocol;
    const said = matches.filter((match) => match.protocol === protocol);
    const intervals = [...said.flatMap(intervalsOf), ...namedPorts(named, protocol)];
    if (said.length === 0 && intervals.length === 0) continue;
    const max = map === 'ports' ? 65_535 : 255;
    const pieces = partition(intervals).map((piece) => [piece]);
    const gaps = gapsBetween(pieces.flat(), max);
    const own = [...pieces, ...(gaps.length > 0 ? [gaps] : [])].map((parts) => {
      const { first, last } = parts[0]!;
      const range = first === last ? `${first}` : `${first}-${last}`;
      const title = parts === gaps ? `other ${protocol}` : `${protocol} ${range}`;
      return { parts, title, mark: add(title, exampleOf(protocol, first)) };
    });
    // The largest needs no elements: what of the protocol is nowhere else is there.
    const largest = own.reduce((a, b) => (sizeOf(b.parts) > sizeOf(a.parts) ? b : a));
    maps.protocols.push({ key: [number], mark: largest.mark, comment: largest.title });
    for (const { parts, title: comment, mark } of own) {
      if (mark === largest.mark) continue;
      for (const at of parts.flatMap(numbersIn)) {
        maps[map].push({ key: map === 'ports' ? [number, at] : [at], mark, comment });
      }
    }
  }
  maps.answers4.push(...answersTo(maps.types4, ANSWERS4));
  maps.answers6.push(...answersTo(maps.types6, ANSWERS6));
  return { cells, maps };
}

/** By the type of the answer, the type that asks: those of which the kernel tracks connections (RFC 792, 950, 4443, 4620). */
const ANSWERS4 = [
  [0, 8],
  [14, 13],
  [16, 15],
  [18, 17],
] as const;
const ANSWERS6 = [
  [129, 128],
  [140, 139],
] as const;

function answersTo(
  types: readonly nft.ElementSpec[],
  pairs: readonly (readonly [answer: number, asks: number])[],
): nft.ElementSpec[] {
  return pairs.flatMap(([answer, asks]) => {
    const element = types.find(({ key }) => key[0] === asks);
    return element ? [{ ...element, key: [answer] }] : [];
  });
}

function exampleOf(protocol: Protocol, value: number): FlowProtocol {
  return protocol === 'icmp' || protocol === 'icmpv6'
    ? { protocol, type: value }
    : { protocol, port: value };
}

function intervalsOf(match: PortMatch): Interval[] {
  if ('types' in match) return (match.types ?? []).map((type) => ({ first: type, last: type }));
  return 'ports' in match && match.ports && 'first' in match.ports ? [match.ports] : [];
}

function namedPorts(named: ReadonlySet<string>, protocol: Protocol): Interval[] {
  return [...named].flatMap((text) => {
    const port = portOf(text, protocol);
    return port === undefined ? [] : [{ first: port, last: port }];
  });
}

/** Only as `decide` writes them, for it compares texts: no port is "080". */
function portOf(text: string, protocol: Protocol): number | undefined {
  const [, port, of] = /^(0|[1-9][0-9]{0,4})\/(tcp|udp|sctp)$/.exec(text) ?? [];
  return of === protocol && Number(port) <= 65_535 ? Number(port) : undefined;
}

/** The pieces that the borders of all intervals cut them into, in order. */
function partition(intervals: readonly Interval[]): Interval[] {
  const changes = new Map<number, number>();
  const change = (at: number, by: number) => changes.set(at, (changes.get(at) ?? 0) + by);
  for (const { first, last } of intervals) {
    change(first, 1);
    change(last + 1, -1);
  }
  const borders = [...changes.keys()].sort((a, b) => a - b);
  let depth = 0;
  return borders.flatMap((first, i) => {
    depth += changes.get(first)!;
    return depth > 0 ? [{ first, last: borders[i + 1]! - 1 }] : [];
  });
}

/** What of 0 to `max` is in none of the pieces, which are in order. */
function gapsBetween(pieces: readonly Interval[], max: number): Interval[] {
  const starts = [0, ...pieces.map(({ last }) => last + 1)];
  const ends = [...pieces.map(({ first }) => first - 1), max];
  return starts.flatMap((first, i) => (first <= ends[i]! ? [{ first, last: ends[i]! }] : []));
}

const sizeOf = (parts: readonly Interval[]): number =>
  parts.reduce((size, { first, last }) => size + last - first + 1, 0);

const numbersIn = ({ first, last }: Interval): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i);
