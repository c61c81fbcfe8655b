import dnsPacket, { type DecodedPacket, type RecordType } from 'dns-packet';
import { type Query, isQuery, parseQuery } from '../../../src/dns/wire/index.js';

export interface Ask {
  readonly id?: number;
  readonly edns?: number;
  readonly dnssecOk?: boolean;
}

/** A query as dns-packet writes it. */
export function queryOctets(name: string, type: string, ask: Ask = {}): Uint8Array {
  const { id = 4711, edns, dnssecOk = false } = ask;
  const opt = { type: 'OPT', name: '.', udpPayloadSize: edns ?? 0, flags: dnssecOk ? 0x8000 : 0 };
  return dnsPacket.encode({
    type: 'query',
    id,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type: type as RecordType, class: 'IN' }],
    ...(edns !== undefined && { additionals: [opt as never] }),
  });
}

export function queryOf(name: string, type: string, ask?: Ask): Query {
  const query = parseQuery(queryOctets(name, type, ask));
  if (!isQuery(query)) throw new Error(`dns-packet's query for ${name} was rejected`);
  return query;
}

export const decode = (octets: Uint8Array): DecodedPacket => dnsPacket.decode(Buffer.from(octets));

/** dns-packet does not type what it reads there. */
export const rcodeOf = (packet: DecodedPacket): string =>
  (packet as { rcode?: string }).rcode ?? '';
