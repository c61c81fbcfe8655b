/** What a subject's policies say to each flow, worked out in advance and kept in three maps. */
import { nft } from '../netlink/index.js';
import type { Cell } from './cells.js';
import { type Match, verdictOf } from './decide.js';
import { type Party, ruleMatches } from './match.js';
import type { Direction, NetworkPolicies, Policy, Rule } from './model.js';
import type { Identity, Peers } from './peers.js';
import type { Subject } from './subjects.js';

/** The chain where flows end that are not to be. */
export const DENIED = 'denied';

/** The chain that tells of a packet. */
export const LOGGED = 'logged';

/** Chains and their maps. The first returns when the subject lets the flow pass; another, if there is one, is jumped to from it. */
export interface Judged {
  readonly chains: readonly nft.ChainSpec[];
  readonly sets: readonly nft.SetSpec[];
}

export interface JudgeOptions {
  readonly network: NetworkPolicies;
  readonly peers: Peers;
  readonly cells: readonly Cell[];
  readonly cellsAbout: CellFinder;
}

/** Places of the cells that a rule with ports is about; none for a rule without. */
export type CellFinder = (rule: Pick<Rule, 'ports'>, receiver: Party) => readonly number[];

/** Finds by looking at each cell, once for rules with the same ports and receivers that call them the same. */
export function cellFinder(cells: readonly Cell[]): CellFinder {
  const found = new Map<string, readonly number[]>();
  return ({ ports }, receiver) => {
    if (!ports) return [];
    const labels = receiver.endpoint?.facts?.labels;
    const named = ports.map((port) =>
      'ports' in port && port.ports && 'name' in port.ports
        ? labels?.get(`weft.port.${port.ports.name}`)
        : undefined,
    );
    const key = JSON.stringify([ports, named]);
    const before = found.get(key);
    if (before) return before;
    const { address } = receiver;
    const places = cells.flatMap(({ example }, at) => {
      const flow = { source: address, destination: address, ...example };
      return ruleMatches({ action: 'allow', ports }, receiver, flow, receiver) ? [at] : [];
    });
    found.set(key, places);
    return places;
  };
}

interface Answer {
  readonly verdict: 'allow' | 'deny';
  /** For people: the rule that decides. */
  readonly comment: string;
}

/** What becomes of a flow that a chain's rules allow, or do not. */
interface Ends {
  readonly allow: nft.Verdict;
  readonly deny: nft.Verdict;
}
const JUDGES: Ends = { allow: 'return', deny: { goto: DENIED } };
/** Rules that log, taken for rules that allow: who is allowed is logged. */
const LOGS: Ends = { allow: { jump: LOGGED }, deny: 'return' };

/** What the subject's policies say, and, where some of their rules log, a chain that does it first. */
export function judgeSubject(subject: Subject, options: JudgeOptions): Judged {
  const { direction, policies, name } = subject;
  const isLog = ({ action }: Rule): boolean => action === 'log';
  const own = chainOf(subject, options, JUDGES);
  if (!policies.some((policy) => policy[direction]?.some(isLog))) return own;
  const logging = policies.map((policy): Policy => ({
    ...policy,
    tier: 'owner',
    [direction]: (policy[direction] ?? []).map((rule): Rule =>
      isLog(rule) ? { ...rule, action: 'allow' } : { ...rule, action: 'log' },
    ),
  }));
  const logs = `${name}-logs`;
  const log = chainOf({ ...subject, name: logs, policies: logging }, options, LOGS);
  const [chain, ...rest] = own.chains;
  const first = nft.rule('what is logged', nft.jump(logs));
  return {
    sets: [...own.sets, ...log.sets],
    chains: [...log.chains, { ...chain!, rules: [first, ...chain!.rules] }, ...rest],
  };
}

/**
 * The chain asks for peer and cell, then for the peer alone, then for the cell alone: each map has only what the next does
 * not say anyway. Peers that no rule names have no elements.
 */
function chainOf(subject: Subject, options: JudgeOptions, ends: Ends): Judged {
  const { cells, peers } = options;
  const flows: nft.ElementSpec[] = [];
  const named: nft.ElementSpec[] = [];
  const ports: nft.ElementSpec[] = [];
  const elementOf = (key: nft.Key, { verdict, comment }: Answer): nft.ElementSpec => ({
    key,
    verdict: ends[verdict],
    comment,
  });
  const rules = rulesOf(subject, peers);
  const answersTo = answerer(subject, options);
  const usual = answersTo(rules.ofAll, undefined);
  const last = mostOf(usual);
  for (const [i, cell] of cells.entries()) {
    if (usual[i]!.verdict !== last.verdict) ports.push(elementOf([cell.number], usual[i]!));
  }
  for (const [identity, own] of rules.byIdentity) {
    const answers = answersTo(own, identity);
    const rest = mostOf(answers);
    named.push(elementOf([identity.number], rest));
    for (const [i, cell] of cells.entries()) {
      if (answers[i]!.verdict === rest.verdict) continue;
      flows.push(elementOf([identity.number, cell.number], answers[i]!));
    }
  }
  const { name } = subject;
  const map = (suffix: string, type: nft.SetSpec['type'], elements: nft.ElementSpec[]) =>
    ({ name: `${name}-${suffix}`, type, holds: 'verdicts', elements }) as const;
  return {
    sets: [
      map('flows', ['classid', 'mark'], flows),
      map('peers', ['classid'], named),
      map('ports', ['mark'], ports),
    ],
    chains: [
      {
        name,
        rules: [
          nft.rule(
            'peer and port',
            nft.concat(nft.meta.priority, nft.meta.mark).verdictOf(`${name}-flows`),
          ),
          nft.rule('peer', nft.meta.priority.verdictOf(`${name}-peers`)),
          nft.rule('port', nft.meta.mark.verdictOf(`${name}-ports`)),
          nft.rule(last.comment, statementOf(ends[last.verdict])),
        ],
      },
    ],
  };
}

function statementOf(verdict: nft.Verdict): nft.Statement {
  if (typeof verdict === 'string') return nft.returnToCaller;
  return 'goto' in verdict ? nft.goto(verdict.goto) : nft.jump(verdict.jump);
}

/** The subject's rules about everybody; and all that are about an identity, where there are more. */
function rulesOf({ direction, policies }: Subject, peers: Peers) {
  const ofAll: Candidate[] = [];
  const byIdentity = new Map<Identity, Candidate[]>();
  for (const { name, tier, [direction]: rules = [] } of policies) {
    for (const [index, rule] of rules.entries()) {
      if (rule.action === 'log') continue;
      const candidate = { policy: name, tier, rule: index, action: rule.action, said: rule };
      if (!rule.peers) ofAll.push(candidate);
      else {
        for (const identity of peers.of(rule)) {
          const own = byIdentity.get(identity) ?? [];
          own.push(candidate);
          byIdentity.set(identity, own);
        }
      }
    }
  }
  for (const own of byIdentity.values()) own.push(...ofAll);
  // Whom an egress rule reaches by a port's name, that one's label says.
  if (direction === 'egress' && ofAll.some(asksForName)) {
    for (const identity of peers.identities) {
      if (identity.named.some((each) => each !== undefined) && !byIdentity.has(identity)) {
        byIdentity.set(identity, [...ofAll]);
      }
    }
  }
  return { ofAll, byIdentity };
}

interface Candidate extends Match {
  readonly said: NonNullable<NetworkPolicies['policies'][number][Direction]>[number];
}

const asksForName = ({ said: { ports = [] } }: Candidate): boolean =>
  ports.some((port) => 'ports' in port && port.ports !== undefined && 'name' in port.ports);

/** Answers, cell by cell, to those of whom these rules are; the same rules and names of ports are asked once. */
function answerer(subject: Subject, { network, cells, cellsAbout }: JudgeOptions) {
  const { direction, policies, example } = subject;
  const known = new Map<string, readonly Answer[]>();
  return (rules: readonly Candidate[], identity: Identity | undefined): readonly Answer[] => {
    const named = direction === 'egress' ? identity?.named : undefined;
    const key = JSON.stringify([rules.map(({ policy, rule }) => [policy, rule]), named]);
    const before = known.get(key);
    if (before) return before;
    const ordered = rules.toSorted(
      (a, b) => Number(a.policy > b.policy) - Number(a.policy < b.policy) || a.rule - b.rule,
    );
    // Nobody's ports have names when nobody in particular is asked for.
    const peer = identity?.example ?? { address: example.address, endpoint: undefined };
    const receiver = direction === 'egress' ? peer : example;
    const answerFrom = (matches: readonly Candidate[]): Answer => {
      const { verdict, reason } = verdictOf(network, policies, matches);
      if (reason.kind !== 'rule') return { verdict, comment: `no rule: ${verdict}` };
      return { verdict, comment: `${reason.policy} ${direction} rule ${reason.rule + 1}` };
    };
    // Most cells are named by none of the rules.
    const usual = answerFrom(ordered.filter(({ said: { ports } }) => !ports));
    const answers: Answer[] = cells.map(() => usual);
    const touched = new Map<number, Candidate[]>();
    for (const candidate of ordered) {
      for (const at of cellsAbout(candidate.said, receiver)) touched.set(at, []);
    }
    for (const candidate of ordered) {
      const { ports } = candidate.said;
      const own = ports ? cellsAbout(candidate.said, receiver) : touched.keys();
      for (const at of own) touched.get(at)!.push(candidate);
    }
    for (const [at, matches] of touched) answers[at] = answerFrom(matches);
    known.set(key, answers);
    return answers;
  };
}

/** An answer with the verdict that most have. */
function mostOf(answers: readonly Answer[]): Answer {
  const denied = answers.filter(({ verdict }) => verdict === 'deny');
  const allowed = answers.filter(({ verdict }) => verdict === 'allow');
  return (denied.length >= allowed.length ? denied : allowed)[0]!;
}
