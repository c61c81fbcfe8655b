import type { PortMatch } from './model.js';
import type { Complain, Path } from './yaml.js';

const MAX_PORT = 65_535;
const MAX_TYPE = 255;
const SHAPE = 'PROTOCOL, PROTOCOL/PORT, PROTOCOL/FIRST-LAST or PROTOCOL/NAME';

/** `tcp`, `tcp/80`, `udp/8000-8010`, `sctp/name`, `icmp`, `icmpv6/128`; undefined after a complaint. */
export function parsePort(text: string, path: Path, complain: Complain): PortMatch | undefined {
  const refuse = (why: string): undefined => {
    complain(path, `"${text}" ${why}`);
  };
  const [, protocol = '', rest] = /^([a-z0-9]+)(?:\/(.+))?$/.exec(text) ?? [];
  switch (protocol) {
    case 'tcp':
    case 'udp':
    case 'sctp':
      return rest === undefined ? { protocol } : transportPort(protocol, rest, refuse);
    case 'icmp':
    case 'icmpv6': {
      if (rest === undefined) return { protocol };
      const type = numberOf(rest, MAX_TYPE);
      if (type === undefined) return refuse(`has no type of ${protocol} from 0 to ${MAX_TYPE}`);
      return { protocol, types: [type] };
    }
    default:
      return refuse(`is not ${SHAPE}, with tcp, udp, sctp, icmp or icmpv6`);
  }
}

function transportPort(
  protocol: 'tcp' | 'udp' | 'sctp',
  rest: string,
  refuse: (why: string) => undefined,
): PortMatch | undefined {
  if (/^[A-Za-z][A-Za-z0-9_-]{0,62}$/.test(rest)) return { protocol, ports: { name: rest } };
  const [from = '', to = from, ...more] = rest.split('-');
  const [first, last] = [numberOf(from, MAX_PORT), numberOf(to, MAX_PORT)];
  if (first === undefined || last === undefined || more.length > 0)
    return refuse(`is not ${SHAPE}`);
  if (first < 1) return refuse('has no port from 1 to 65535');
  if (first > last) return refuse('ends before it begins');
  return { protocol, ports: { first, last } };
}

function numberOf(text: string, max: number): number | undefined {
  const value = /^(0|[1-9][0-9]{0,4})$/.test(text) ? Number(text) : undefined;
  return value !== undefined && value <= max ? value : undefined;
}
