import { type Address, prefixContains } from '../net/index.js';
import { matchesGlob } from './glob.js';
import type {
  AddressBlock,
  Endpoint,
  EndpointFacts,
  Flow,
  PortMatch,
  Requirement,
  Rule,
  Selector,
} from './model.js';

/** One side of a flow: an address, and the endpoint that has it, unless it is outside. */
export interface Party {
  readonly address: Address;
  readonly endpoint: Endpoint | undefined;
}

/** True when `selector` selects this side. Labels and names of an endpoint that is not known yet match nothing. */
export function selects(selector: Selector, party: Party): boolean {
  const { blocks } = selector;
  if (blocks && !blocks.some((block) => blockHolds(block, party.address))) return false;
  const asksEndpoint = Object.entries(selector).some(
    ([field, value]) => field !== 'blocks' && value !== undefined,
  );
  if (!asksEndpoint) return blocks !== undefined || party.endpoint !== undefined;
  return party.endpoint !== undefined && describes(selector, party.endpoint);
}

/** True when `rule` is about a flow with `peer` on the other side. `receiver` resolves names of ports. */
export function ruleMatches(rule: Rule, peer: Party, flow: Flow, receiver: Party): boolean {
  const peerFits = !rule.peers || rule.peers.some((selector) => selects(selector, peer));
  return peerFits && (!rule.ports || rule.ports.some((port) => portMatches(port, flow, receiver)));
}

function describes(selector: Selector, { host, facts }: Endpoint): boolean {
  if (selector.hosts && !selector.hosts.includes(host)) return false;
  const { labels, names, project, service } = selector;
  if (!labels && !names && project === undefined && service === undefined) return true;
  if (!facts) return false;
  return (
    (!names || names.some((glob) => matchesGlob(glob, facts.name))) &&
    (project === undefined || facts.labels.get('com.docker.compose.project') === project) &&
    (service === undefined || facts.labels.get('com.docker.compose.service') === service) &&
    (!labels || labels.every((requirement) => holds(requirement, facts)))
  );
}

function holds(requirement: Requirement, { labels }: EndpointFacts): boolean {
  const value = labels.get(requirement.key);
  if (!('values' in requirement)) return (requirement.op === 'exists') === (value !== undefined);
  const listed = value !== undefined && requirement.values.includes(value);
  return requirement.op === 'in' ? listed : !listed;
}

function blockHolds({ prefix, except }: AddressBlock, address: Address): boolean {
  return prefixContains(prefix, address) && !except.some((hole) => prefixContains(hole, address));
}

function portMatches(match: PortMatch, flow: Flow, receiver: Party): boolean {
  if (match.protocol !== flow.protocol) return false;
  if ('type' in flow) return !('types' in match) || !match.types || match.types.includes(flow.type);
  if (!('port' in flow) || !('ports' in match) || !match.ports) return true;
  if ('first' in match.ports)
    return match.ports.first <= flow.port && flow.port <= match.ports.last;
  const named = receiver.endpoint?.facts?.labels.get(`weft.port.${match.ports.name}`);
  return named === `${flow.port}/${flow.protocol}`;
}
