/**
 * Who may talk to whom on a network: policies as people write them, and the one function that decides about a flow.
 *
 * Promises: `decide` is pure, does not depend on the order of policies, rules' peers or endpoints, and names what decided.
 * It is the reference: whatever enforces or explains policies is held against it.
 * `parsePolicies` takes a file whole or names all that is wrong in it, each with its place.
 * `compile` makes a table that lets pass, on one host, what `decide` allows there.
 * `PolicyTable` keeps it up, and judges connections again that passed by other rules.
 * Does not: put the table anywhere.
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
export { type Complaint, type PolicyDetail, PolicyError } from './errors.js';
export { type PolicyDocument, parsePolicies } from './parse.js';
export { type FlowDifference, flowDifferences } from './changes.js';
export { flowText, parseFlowProtocol } from './flow-text.js';
export { type Expectation, parseExpectations } from './expectations.js';
export { flowOf } from './connection.js';
export { readFlow } from './packet.js';
export { PolicySchema } from './schema.js';
export { LOG_GROUP, POLICY_TABLE, PolicyTable, aboutAddresses, compile } from './compile.js';
