/**
 * Who may talk to whom on a network: the model of a policy, and the one function that decides about a flow.
 *
 * Promises: `decide` is pure, does not depend on the order of policies, rules' peers or endpoints, and names what decided.
 * It is the reference: whatever enforces or explains policies is held against it.
 * Does not: read documents, enforce anything, or know packets that are not the first of a flow.
 */
export type {
  AddressBlock,
  Direction,
  Endpoint,
  EndpointFacts,
  Flow,
  FlowProtocol,
  NetworkDefault,
  NetworkPolicies,
  Policy,
  PortMatch,
  Requirement,
  Rule,
  Selector,
  Tier,
} from './model.js';
export {
  type Decision,
  type Judgement,
  type Reason,
  type RuleReference,
  decide,
} from './decide.js';
