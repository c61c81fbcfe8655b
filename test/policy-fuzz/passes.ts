import { type NetworkPolicies, decide } from '../../src/policy/index.js';
import type { Packet } from '../helpers/policy-lab.js';
import { HERE } from './world.js';

/** A host lets pass what its own sides allow. */
export function passesHere(some: NetworkPolicies, packet: Packet): boolean {
  const { egress, ingress } = decide(some, packet);
  const isHere = (address: Packet['source']) =>
    some.endpoints.some(({ host, addresses }) => host === HERE && addresses.includes(address));
  const isKnown = (address: Packet['source']) =>
    some.endpoints.some(({ facts, addresses }) => facts && addresses.includes(address));
  const isOpen = some.policies.length === 0 && some.default === 'open';
  // Whom nobody knows yet is denied everywhere, not only where it runs.
  if (!isOpen && !(isKnown(packet.source) && isKnown(packet.destination))) return false;
  return (
    (!isHere(packet.source) || egress.verdict === 'allow') &&
    (!isHere(packet.destination) || ingress.verdict === 'allow')
  );
}
