import type { Address } from '../net/index.js';
import { type Party, ruleMatches, selects } from './match.js';
import type { Direction, Flow, NetworkPolicies, Policy, Rule, Tier } from './model.js';

/** A rule by its policy and its place, from 0, in the policy's list for the direction. */
export interface RuleReference {
  readonly policy: string;
  readonly rule: number;
}

/** Why one side lets a flow pass or not. */
export type Reason =
  | ({ readonly kind: 'rule' } & RuleReference)
  /** These owner's policies select the endpoint, and no rule of theirs allows the flow. */
  | { readonly kind: 'no-rule-allows'; readonly policies: readonly string[] }
  /** The network has policy, and Docker has not yet been asked about the container. */
  | { readonly kind: 'endpoint-unknown' }
  /** No policy decides: the network's default does. */
  | { readonly kind: 'network-default' }
  /** The address is no endpoint's of the network: that side has no policy. */
  | { readonly kind: 'outside' }
  /** An endpoint always reaches itself. */
  | { readonly kind: 'itself' };

export interface Judgement {
  readonly verdict: 'allow' | 'deny';
  readonly reason: Reason;
  /** The `log` rules that are about the flow, whatever the verdict. */
  readonly logs: readonly RuleReference[];
}

/** `egress` is the sender's side and `ingress` the receiver's; a flow is allowed when both allow it. */
export interface Decision {
  readonly verdict: 'allow' | 'deny';
  readonly egress: Judgement;
  readonly ingress: Judgement;
}

/** Decides about a flow of a network. Of several rules that decide alike, the first by policy name and place is named. */
export function decide(network: NetworkPolicies, flow: Flow): Decision {
  const sender = partyOf(network, flow.source);
  const receiver = partyOf(network, flow.destination);
  if (sender.endpoint && sender.endpoint === receiver.endpoint) {
    const itself: Judgement = { verdict: 'allow', reason: { kind: 'itself' }, logs: [] };
    return { verdict: 'allow', egress: itself, ingress: itself };
  }
  const egress = judge(network, {
    direction: 'egress',
    own: sender,
    peer: receiver,
    receiver,
    flow,
  });
  const ingress = judge(network, {
    direction: 'ingress',
    own: receiver,
    peer: sender,
    receiver,
    flow,
  });
  const passes = egress.verdict === 'allow' && ingress.verdict === 'allow';
  return { verdict: passes ? 'allow' : 'deny', egress, ingress };
}

/** A flow as one side sees it. */
interface View {
  readonly direction: Direction;
  readonly own: Party;
  readonly peer: Party;
  readonly receiver: Party;
  readonly flow: Flow;
}

/** A rule that is about a flow. */
export interface Match extends RuleReference {
  readonly tier: Tier;
  readonly action: Rule['action'];
}

function judge(network: NetworkPolicies, view: View): Judgement {
  const { endpoint } = view.own;
  if (!endpoint) return { verdict: 'allow', reason: { kind: 'outside' }, logs: [] };
  const hasPolicy = network.policies.length > 0 || network.default === 'isolated';
  if (hasPolicy && !endpoint.facts) {
    return { verdict: 'deny', reason: { kind: 'endpoint-unknown' }, logs: [] };
  }
  const selecting = network.policies
    .filter((policy) => policy[view.direction] && selects(policy.endpoints, view.own))
    .sort(byName);
  const matches = selecting.flatMap((policy) => matchesOf(policy, view));
  const logs = matches.filter(({ action }) => action === 'log').map(referenceOf);
  return { ...verdictOf(network, selecting, matches), logs };
}

/** What comes of the policies that select one side of a flow, and of those of their rules that are about it. */
export function verdictOf(
  network: Pick<NetworkPolicies, 'default'>,
  selecting: readonly Policy[],
  matches: readonly Match[],
): Pick<Judgement, 'verdict' | 'reason'> {
  for (const tier of ['operator', 'owner'] as const) {
    for (const verdict of ['deny', 'allow'] as const) {
      const match = matches.find((each) => each.tier === tier && each.action === verdict);
      if (match) return { verdict, reason: { kind: 'rule', ...referenceOf(match) } };
    }
  }
  const policies = selecting.filter(({ tier }) => tier === 'owner').map(({ name }) => name);
  if (policies.length > 0) return { verdict: 'deny', reason: { kind: 'no-rule-allows', policies } };
  const verdict = network.default === 'open' ? 'allow' : 'deny';
  return { verdict, reason: { kind: 'network-default' } };
}

function matchesOf(policy: Policy, { direction, peer, flow, receiver }: View): Match[] {
  const { name, tier } = policy;
  return (policy[direction] ?? []).flatMap((rule, index) =>
    ruleMatches(rule, peer, flow, receiver)
      ? [{ policy: name, rule: index, tier, action: rule.action }]
      : [],
  );
}

function referenceOf({ policy, rule }: RuleReference): RuleReference {
  return { policy, rule };
}

function partyOf({ endpoints }: NetworkPolicies, address: Address): Party {
  return { address, endpoint: endpoints.find((each) => each.addresses.includes(address)) };
}

export function byName(a: Policy, b: Policy): number {
  return a.name < b.name ? -1 : Number(a.name > b.name);
}
