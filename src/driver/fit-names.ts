import { type EndpointRecord, formatRecord } from '../cluster/index.js';

/** What one host's endpoints on one network may take in the store, octets of JSON; a transaction takes 350,000 in all. */
const BUDGET = 300_000;

/**
 * What other hosts are told, within what the store takes: forwarding always, and the rest as far as there is room. The
 * containers with most to say lose their services first, then their names, then their labels; `leftOut` are those, as people call them.
 */
export function fitNames(
  endpoints: readonly EndpointRecord[],
  budget = BUDGET,
): { readonly endpoints: readonly EndpointRecord[]; readonly leftOut: readonly string[] } {
  let over = endpoints.reduce((sum, each) => sum + sizeOf(each), 0) - budget;
  if (over <= 0) return { endpoints, leftOut: [] };
  const fitted = new Map(endpoints.map((each) => [each.id, each]));
  const leftOut = new Set<string>();
  for (const without of [withoutServices, withoutNames, withoutLabels]) {
    const bySaving = [...fitted.values()]
      .map((each) => ({ each, saved: sizeOf(each) - sizeOf(without(each)) }))
      .toSorted((a, b) => b.saved - a.saved);
    for (const { each, saved } of bySaving) {
      if (over <= 0 || saved <= 0) break;
      fitted.set(each.id, without(each));
      leftOut.add(each.name ?? each.id.slice(0, 12));
      over -= saved;
    }
  }
  return { endpoints: [...fitted.values()], leftOut: [...leftOut] };
}

function withoutServices(endpoint: EndpointRecord): EndpointRecord {
  if (!endpoint.dns) return endpoint;
  const { services: _, ...dns } = endpoint.dns;
  return { ...endpoint, dns };
}

function withoutNames({ dns: _, ...endpoint }: EndpointRecord): EndpointRecord {
  return endpoint;
}

function withoutLabels({ labels: _, ...endpoint }: EndpointRecord): EndpointRecord {
  return endpoint;
}

function sizeOf(endpoint: EndpointRecord): number {
  return Buffer.byteLength(formatRecord(endpoint)) + 1;
}
