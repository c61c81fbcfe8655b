import { type Address, parseAddress } from '../net/index.js';
import { DnsError } from './errors.js';

/** A server that is asked what weft has no answer to. */
export interface Upstream {
  readonly address: Address;
  readonly port: number;
}

const PORT = 53;
/** As many as resolv.conf takes. */
const MAX_UPSTREAMS = 3;

/** Of `ADDRESS`, `ADDRESS:PORT` or `[ADDRESS]:PORT`. Throws INVALID_UPSTREAM. */
export function parseUpstream(text: string): Upstream {
  const [, inBrackets, plain, port = String(PORT)] =
    /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const number = Number(port);
  try {
    if (number < 1 || number > 65_535) throw new Error(`${port} is not a port`);
    return { address: parseAddress(inBrackets ?? plain ?? text), port: number };
  } catch (cause) {
    const message = `"${text}" is no server: an address, or ADDRESS:PORT, or [IPV6]:PORT`;
    throw new DnsError({ code: 'INVALID_UPSTREAM', text }, message, { cause });
  }
}

/** Of several with commas between, each once; none of an empty text. Throws INVALID_UPSTREAM. */
export function parseUpstreams(text: string): Upstream[] {
  const parts = text.split(',').map((part) => part.trim());
  const upstreams = parts.filter((part) => part !== '').map(parseUpstream);
  if (upstreams.length <= MAX_UPSTREAMS) return upstreams;
  const message = `"${text}" names more than ${MAX_UPSTREAMS} servers`;
  throw new DnsError({ code: 'INVALID_UPSTREAM', text }, message);
}

/** Which of a container's own addresses nobody but it has: a loopback address of the host is meant then, as Docker takes it. */
export function isLoopback(address: Address): boolean {
  return address === '::1' || address.startsWith('127.');
}
