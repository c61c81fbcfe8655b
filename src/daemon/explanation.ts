import type { Explain, ExplainedSide, Explanation } from '../control-api/index.js';
import type { NetworkBinding } from '../driver/index.js';
import { type Address, parseAddress } from '../net/index.js';
import {
  type Endpoint,
  type Flow,
  type Judgement,
  type NetworkPolicies,
  type PolicyDocument,
  type Reason,
  type RuleReference,
  decide,
  flowText,
  parseFlowProtocol,
} from '../policy/index.js';
import { DaemonError } from './errors.js';

export interface ExplainDeps {
  readonly networks: readonly NetworkBinding[];
  /** All that decides about the flows of one of them. */
  readonly decidedBy: (binding: NetworkBinding) => NetworkPolicies;
  /** A policy by name, with the lines of its file. */
  readonly document: (name: string) => PolicyDocument | undefined;
}

/** A side of a flow: a container with the address that it has, or an address of nobody. */
interface Side {
  readonly endpoint?: Endpoint;
  readonly addresses: readonly Address[];
}

interface Candidate {
  readonly binding: NetworkBinding;
  readonly network: NetworkPolicies;
  readonly from: Side;
  readonly to: Side;
}

/** What becomes of a flow, and what decides it on both sides. Throws NOT_EXPLAINED when the question has no one answer. */
export function explain(question: Explain, deps: ExplainDeps): Explanation {
  const protocol = parseFlowProtocol(question.port);
  if (!protocol) {
    throw unexplained(
      question.port,
      'is no port: write tcp/80, udp/53, icmp/8, or the number of another protocol',
    );
  }
  const { binding, network, from, to } = theOne(question, deps);
  const pair = samePair(from, to);
  if (!pair) throw unexplained(question.to, `has no address of a family that ${question.from} has`);
  const flow: Flow = { ...pair, ...protocol };
  const { verdict, egress, ingress } = decide(network, flow);
  return {
    network: binding.network.name ?? binding.network.id,
    from: called(from, flow.source),
    to: called(to, flow.destination),
    port: flowText(flow),
    verdict,
    egress: sideOf(egress, 'egress', deps),
    ingress: sideOf(ingress, 'ingress', deps),
  };
}

/** One line on why a side lets a flow pass or not. */
export function reasonText(reason: Reason): string {
  switch (reason.kind) {
    case 'rule':
      return `rule ${reason.rule + 1} of policy "${reason.policy}"`;
    case 'no-rule-allows':
      return `no rule allows it in ${reason.policies.map((name) => `"${name}"`).join(', ')}`;
    case 'endpoint-unknown':
      return 'the network has policy, and the labels of the container are not known';
    case 'network-default':
      return 'no policy is about it: the default of the network';
    case 'outside':
      return 'outside: has no policy of its own';
    case 'itself':
    default:
      return 'a container reaches itself';
  }
}

function sideOf(
  { verdict, reason, logs }: Judgement,
  direction: 'egress' | 'ingress',
  deps: ExplainDeps,
): ExplainedSide {
  const why = reasonText(reason);
  const logged = logs.map(({ policy, rule }) => `rule ${rule + 1} of policy "${policy}"`);
  if (reason.kind !== 'rule') return { verdict, why, logs: logged };
  return { verdict, why, ...placeOf(reason, direction, deps), logs: logged };
}

function placeOf(
  { policy, rule }: RuleReference,
  direction: 'egress' | 'ingress',
  { document: documentOf }: ExplainDeps,
) {
  const document = documentOf(policy);
  const line = document?.ruleLines[direction][rule];
  const comment = document?.policy[direction]?.[rule]?.comment;
  return {
    policy,
    rule: rule + 1,
    ...(document && { source: document.source }),
    ...(line !== undefined && { line }),
    ...(comment !== undefined && { comment }),
  };
}

function theOne(question: Explain, { networks, decidedBy }: ExplainDeps): Candidate {
  const here = networks.filter(
    ({ network: { name, id } }) =>
      question.network === undefined || [name, id].includes(question.network),
  );
  if (here.length === 0) {
    throw unexplained(
      question.network ?? question.from,
      question.network === undefined
        ? 'no weft network is on this host'
        : 'is no network of this host; ask on a host that has it',
    );
  }
  const found = here.flatMap((binding): Candidate[] => {
    const network = decidedBy(binding);
    const [from, to] = [sideIn(network, question.from), sideIn(network, question.to)];
    // Two addresses of nobody are on no network.
    if (!from || !to || !(from.endpoint || to.endpoint)) return [];
    return [{ binding, network, from, to }];
  });
  const [one, ...more] = found;
  if (one && more.length === 0) return one;
  const names = (one ? found.map(({ binding }) => binding) : here).map(
    ({ network }) => network.name ?? network.id,
  );
  if (one)
    throw unexplained(
      question.from,
      `and ${question.to} share ${names.join(', ')}: choose one with --network`,
    );
  throw unexplained(
    question.from,
    `and ${question.to} are together on none of the networks of this host: ${names.join(', ')}`,
  );
}

/** A container by name, by the beginning of its endpoint's id, or by address; else an address that is nobody's. */
function sideIn({ endpoints }: NetworkPolicies, text: string): Side | undefined {
  const address = addressOf(text);
  const endpoint = endpoints.find(
    ({ id, addresses, facts }) =>
      facts?.name === text ||
      (text.length >= 4 && id.startsWith(text)) ||
      (address && addresses.includes(address)),
  );
  if (address) return { ...(endpoint && { endpoint }), addresses: [address] };
  return endpoint && { endpoint, addresses: endpoint.addresses };
}

function addressOf(text: string): Address | undefined {
  try {
    return parseAddress(text);
  } catch {
    return undefined;
  }
}

function samePair(from: Side, to: Side) {
  const isV6 = (address: Address): boolean => address.includes(':');
  for (const source of from.addresses) {
    const destination = to.addresses.find((address) => isV6(address) === isV6(source));
    if (destination !== undefined) return { source, destination };
  }
  return undefined;
}

function called({ endpoint }: Side, address: Address): string {
  if (!endpoint) return `${address}, outside`;
  return `${endpoint.facts?.name ?? `container of endpoint ${endpoint.id.slice(0, 12)}`} (${address}, on ${endpoint.host})`;
}

function unexplained(what: string, words: string): DaemonError {
  return new DaemonError({ code: 'NOT_EXPLAINED', what }, `${what} ${words}`);
}
