import { setImmediate as turn } from 'node:timers/promises';
import type { ClusterView, PolicyText } from '../cluster/index.js';
import type {
  AppliedPolicies,
  ApplyPolicies,
  EnforcedPolicies,
  Explain,
  Explanation,
  FlowChange,
  PolicySummary,
  TestPolicies,
  TestedPolicies,
} from '../control-api/index.js';
import type { Bindings } from '../driver/index.js';
import {
  type Policy,
  type PolicyDocument,
  flowDifferences,
  flowText,
  parseExpectations,
  parsePolicies,
} from '../policy/index.js';
import { messageOf } from '../util/index.js';
import type { KernelDatapath } from '../vxlan/index.js';
import type { Enforcement } from './enforcement.js';
import { DaemonError } from './errors.js';
import { type ExplainDeps, explain, reasonText } from './explanation.js';
import type { KnownPolicies } from './known-policies.js';
import { type Change, endingConnections } from './open-connections.js';
import type { PolicingParts } from './policing.js';

/** Of a dry run: how long it looks at flows, and at connections, in pieces that nobody else has to wait for, and how much it tells. */
const DRY_RUN_MS = 3000;
const TURN_MS = 5;
const MAX_FLOWS = 1000;
/** As JSON it takes a little more, of the 350,000 of a transaction. */
const MAX_POLICY_OCTETS = 256_000;

export interface OperatorPoliciesDeps {
  readonly policies: PolicingParts['policies'];
  readonly known: KnownPolicies;
  readonly enforcement: Enforcement;
  readonly bindings: Bindings;
  readonly view: Pick<ClusterView, 'hosts' | 'networks'>;
  readonly datapath: Pick<KernelDatapath, 'connections'>;
}

/** `weft policy`: for the whole cluster, from any host. */
export class OperatorPolicies {
  readonly #deps: OperatorPoliciesDeps;

  constructor(deps: OperatorPoliciesDeps) {
    this.#deps = deps;
  }

  list(): PolicySummary[] {
    return this.#deps.known.all().map(({ written, document }) => summaryOf(written, document));
  }

  /**
   * Adds the policies of these files and replaces those of the same name, all in one step. Throws INVALID_POLICY with all that is wrong,
   * POLICY_NAME_TAKEN.
   */
  async apply({ files, dryRun }: ApplyPolicies, signal: AbortSignal): Promise<AppliedPolicies> {
    const { policies, known, view } = this.#deps;
    const documents = files.flatMap(({ source, text }) => parsePolicies(text, source));
    for (const document of documents) {
      assertFits(document);
      this.#assertReplaces(document, documents);
    }
    const outcome = { added: [] as string[], changed: [] as string[], unchanged: [] as string[] };
    for (const { policy, text, networks } of documents) {
      const before = known.get(policy.name);
      const isSame =
        before?.written.text === text && before.document.networks.join() === networks.join();
      outcome[before ? (isSame ? 'unchanged' : 'changed') : 'added'].push(policy.name);
    }
    const there = new Set(view.networks().map(({ name }) => name));
    const named = new Set(documents.flatMap(({ networks }) => networks));
    const result = { ...outcome, unknownNetworks: [...named].filter((name) => !there.has(name)) };
    if (dryRun) {
      const texts = Object.fromEntries(documents.map(({ policy, text }) => [policy.name, text]));
      const changes = this.#changes(documents);
      const differences = await differencesOf(changes, performance.now() + DRY_RUN_MS);
      const { datapath } = this.#deps;
      const endsAt = performance.now() + DRY_RUN_MS;
      const connections = await endingConnections(changes, datapath, endsAt);
      return { version: known.version, ...result, texts, ...differences, connections };
    }
    const set = documents.map(writtenOf);
    return { version: await policies.change({ set }, signal), ...result };
  }

  /** Removes a policy; answers the version without it. Throws POLICY_UNKNOWN. */
  async remove(name: string, signal: AbortSignal): Promise<number> {
    const { policies, known } = this.#deps;
    if (!known.get(name)) {
      throw new DaemonError(
        { code: 'POLICY_UNKNOWN', policy: name },
        `the cluster has no policy "${name}"; "weft policy ls" shows those that it has`,
      );
    }
    return policies.change({ remove: [name] }, signal);
  }

  /** What becomes of a flow. Throws NOT_EXPLAINED. */
  explain(question: Explain): Explanation {
    return explain(question, this.#deciding([]));
  }

  /** Whether flows meet the fate that is expected, as if the files were applied. Throws INVALID_POLICY. */
  test({ tests, files = [] }: TestPolicies): TestedPolicies {
    const documents = files.flatMap(({ source, text }) => parsePolicies(text, source));
    const deciding = this.#deciding(documents);
    const expectations = tests.flatMap(({ source, text }) => parseExpectations(text, source));
    const items = expectations.map(
      ({ source, line, verdict: expected, comment: _, ...question }) => {
        const flow = `${question.from} to ${question.to} ${question.port}`;
        try {
          const { verdict, egress, ingress } = explain(question, deciding);
          const why = egress.verdict === 'deny' ? egress.why : ingress.why;
          return { source, line, flow, expected, verdict, why };
        } catch (error) {
          return { source, line, flow, expected, verdict: null, why: messageOf(error) };
        }
      },
    );
    return { items };
  }

  /** What decides about flows, as if these policies were applied. */
  #deciding(documents: readonly PolicyDocument[]): ExplainDeps {
    const { bindings, enforcement, known } = this.#deps;
    return {
      networks: bindings.networks(),
      decidedBy: (binding) => {
        const network = enforcement.network(binding);
        const { name } = binding.network;
        if (name === undefined || documents.length === 0) return network;
        return { ...network, policies: afterwards(network.policies, documents, name) };
      },
      document: (name) =>
        documents.find(({ policy }) => policy.name === name) ?? known.get(name)?.document,
    };
  }

  /** Who enforces a version, by default the newest; waits until all live hosts do, or this long. */
  async enforced(
    { version = this.#deps.known.version, waitMs }: { version?: number; waitMs: number },
    signal: AbortSignal,
  ): Promise<EnforcedPolicies> {
    const { policies, view } = this.#deps;
    const enough = new AbortController();
    const timer = setTimeout(() => enough.abort(), waitMs);
    const ended = AbortSignal.any([signal, enough.signal]);
    let last: EnforcedPolicies = { version, isEnforced: false, hosts: [] };
    try {
      for await (const versions of policies.enforced(ended)) {
        const hosts = view.hosts().map(({ id, name }) => {
          return { id, name, version: versions.get(id) ?? null };
        });
        const isEnforced = hosts.every((host) => host.version !== null && host.version >= version);
        last = { version, isEnforced, hosts };
        if (isEnforced || waitMs === 0) break;
      }
    } finally {
      clearTimeout(timer);
      enough.abort();
    }
    return last;
  }

  /** One file after the other would be another's else. */
  #assertReplaces(
    { policy: { name }, networks, source }: PolicyDocument,
    all: readonly PolicyDocument[],
  ): void {
    const twice = all.find((other) => other.policy.name === name && other.source !== source);
    if (twice) {
      throw new DaemonError(
        { code: 'POLICY_NAME_TAKEN', policy: name },
        `policy "${name}" is in ${source}, and in ${twice.source} once more; give each a name of its own`,
      );
    }
    const before = this.#deps.known.get(name)?.document;
    if (!before || before.networks.some((network) => networks.includes(network))) return;
    throw new DaemonError(
      { code: 'POLICY_NAME_TAKEN', policy: name },
      `there is a policy "${name}" for ${before.networks.join(', ')}, from ${before.source}; choose another name, or remove that one first: weft policy rm ${name}`,
    );
  }

  /** What decides about the flows of this host's networks, and what would. */
  #changes(documents: readonly PolicyDocument[]): Change[] {
    const { bindings, enforcement } = this.#deps;
    return bindings.networks().flatMap((binding) => {
      const { name } = binding.network;
      if (name === undefined) return [];
      const before = enforcement.network(binding);
      const policies = afterwards(before.policies, documents, name);
      return [{ binding, before, after: { ...before, policies } }];
    });
  }
}

/** Which flows between containers would meet another fate. Stops looking at `endsAt`, steady ms. */
async function differencesOf(changes: readonly Change[], endsAt: number) {
  const flows: FlowChange[] = [];
  let notLookedAt = 0;
  for (const { binding, before, after } of changes) {
    const { id, name: network = id } = binding.network;
    let turnEndsAt = performance.now() + TURN_MS;
    for (const difference of flowDifferences(before, after)) {
      if (performance.now() > endsAt || flows.length >= MAX_FLOWS) {
        if (difference === undefined) notLookedAt += 1;
        continue;
      }
      if (difference === undefined) {
        if (performance.now() < turnEndsAt) continue;
        await turn();
        turnEndsAt = performance.now() + TURN_MS;
        continue;
      }
      const { from, to, flow, before: was, after: is } = difference;
      const denied = is.egress.verdict === 'deny' ? is.egress : is.ingress;
      flows.push({
        network,
        from: from.facts?.name ?? flow.source,
        to: to.facts?.name ?? flow.destination,
        port: flowText(flow),
        before: was.verdict,
        after: is.verdict,
        why: reasonText(denied.reason),
      });
    }
  }
  return { flows, ...(notLookedAt > 0 && { notLookedAt }) };
}

function assertFits({ policy: { name }, text }: PolicyDocument): void {
  const octets = Buffer.byteLength(text);
  if (octets <= MAX_POLICY_OCTETS) return;
  throw new DaemonError(
    { code: 'POLICY_TOO_LONG', policy: name },
    `policy "${name}" has ${octets} octets and the store takes ${MAX_POLICY_OCTETS} of each; split it: rules of all policies count together`,
  );
}

function afterwards(
  before: readonly Policy[],
  documents: readonly PolicyDocument[],
  network: string,
): Policy[] {
  const replaced = new Set(documents.map(({ policy: { name } }) => name));
  const fresh = documents.filter(({ networks }) => networks.includes(network));
  return [
    ...before.filter(({ name }) => !replaced.has(name)),
    ...fresh.map(({ policy }) => policy),
  ];
}

function writtenOf({
  policy: { name },
  networks,
  text,
  source,
  textLine,
}: PolicyDocument): PolicyText {
  return { name, networks, text, source, line: textLine };
}

function summaryOf(
  { name: id, source, line, text }: PolicyText,
  { policy, networks }: PolicyDocument,
): PolicySummary {
  const { tier, comment, ingress, egress } = policy;
  return {
    id,
    networks: [...networks],
    tier,
    ...(comment !== undefined && { comment }),
    source,
    line,
    text,
    ...(ingress && { ingress: ingress.length }),
    ...(egress && { egress: egress.length }),
  };
}
