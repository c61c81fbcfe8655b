import { type ClusterView, type HostDocument, Policies } from '../cluster/index.js';
import type { PolicySource } from '../control-api/index.js';
import type { Bindings } from '../driver/index.js';
import type { EndpointFacts } from '../policy/index.js';
import type { Store } from '../store/index.js';
import { Backoff, Closer, messageOf } from '../util/index.js';
import type { KernelDatapath } from '../vxlan/index.js';
import { Enforcement } from './enforcement.js';
import type { EventLog } from './event-log.js';
import type { Health } from './health.js';
import { KnownPolicies } from './known-policies.js';
import { Latest } from './latest.js';
import type { Log } from './log.js';
import type { Naming } from './naming.js';
import { OperatorPolicies } from './operator-policies.js';
import { PolicyLog } from './policy-log.js';

const RETRY = { minMs: 100, maxMs: 5000 };

export interface PolicingDeps {
  readonly shared: Store;
  readonly local: Store;
  readonly self: Pick<HostDocument, 'id' | 'name'>;
  readonly bindings: Bindings;
  readonly view: ClusterView;
  readonly naming: () => Naming;
  readonly datapath: KernelDatapath;
  readonly health: Health;
  readonly events: EventLog;
  readonly log: Log;
}

/** Policies from end to end: what the cluster has of them, what they say, and that this host's kernel does it. */
export class PolicingParts implements AsyncDisposable {
  readonly policies: Policies;
  readonly known: KnownPolicies;
  readonly enforcement: Enforcement;
  readonly log: PolicyLog;
  readonly #closer: Closer;

  private constructor(
    parts: Pick<PolicingParts, 'policies' | 'known' | 'enforcement' | 'log'>,
    closer: Closer,
  ) {
    this.policies = parts.policies;
    this.known = parts.known;
    this.enforcement = parts.enforcement;
    this.log = parts.log;
    this.#closer = closer;
  }

  static async open(deps: PolicingDeps): Promise<PolicingParts> {
    const { shared, local, self, bindings, view, naming, datapath, health, events, log } = deps;
    const closer = new Closer();
    const known = new KnownPolicies((name, reason) => {
      const text = `policy "${name}" can't be read here, so what it said before holds, or nothing passes on its networks that others don't allow; upgrade weft on this host, or apply it again: ${reason}`;
      health.set(`POLICY_UNREADABLE ${name}`, reason === undefined ? undefined : new Error(text));
    });
    const factsOf = keptFacts();
    const aborter = new AbortController();
    const reports = new Latest<number>(
      async (_, version) => {
        const backoff = new Backoff(RETRY);
        while (!aborter.signal.aborted && version === known.version) {
          try {
            await policies.report(version, { signal: aborter.signal });
            return;
          } catch {
            // The store is away; who watches it says so.
            await backoff.wait(aborter.signal).catch(() => undefined);
          }
        }
      },
      (_, err) => log.warn({ err }, 'version of policies not reported'),
    );
    closer.defer(async () => reports.idle());
    closer.defer(() => aborter.abort());
    const policyLog = closer.use(
      new PolicyLog({
        bindings,
        datapath,
        networkOf: (networkId) => {
          const binding = bindings.byNetworkId(networkId);
          return binding && enforcement.network(binding);
        },
        log,
      }),
    );
    const enforcement: Enforcement = closer.use(
      new Enforcement({
        hostId: self.id,
        hostName: self.name,
        policies: known,
        bindings,
        view,
        factsOf: (endpointId) => {
          const name = naming().namesOf(endpointId)?.names[0];
          const labels = naming().labelsOf(endpointId);
          return name === undefined || !labels ? undefined : factsOf(name, labels);
        },
        areFactsKnown: () => naming().isCompared,
        datapath,
        onRules: (networkId, hasRules) => policyLog.follow(networkId, hasRules),
        onEnforced: (version) => reports.set('', version),
        health,
        log,
      }),
    );
    const policies: Policies = closer.use(
      await Policies.open({
        store: shared,
        local,
        hostId: self.id,
        onChange: (set) => {
          known.take(set);
          void enforcement.onPolicies();
        },
        onDamage: (key) =>
          log.error({ key }, 'policies in the store are unreadable; what was known before holds'),
        onLost: () => {
          const text = 'the store has lost policies; they hold, and are written again';
          events.add({ code: 'POLICIES_LOST_IN_STORE', level: 'warn', text });
        },
        onError: (err) =>
          log.warn({ err: messageOf(err) }, 'policies not written; will be retried'),
      }),
    );
    return new PolicingParts({ policies, known, enforcement, log: policyLog }, closer);
  }

  /** Resolves when what was known before this start is enforced, as far as that succeeds. Does not wait for the store. */
  async start(): Promise<void> {
    this.policies.start();
    await this.enforcement.onPolicies();
  }

  /** For the control API. */
  operator(deps: Pick<PolicingDeps, 'bindings' | 'view' | 'datapath'>): PolicySource {
    const { policies, known, enforcement } = this;
    const operator = new OperatorPolicies({ ...deps, policies, known, enforcement });
    return {
      list: () => operator.list(),
      apply: async (wanted, signal) => operator.apply(wanted, signal),
      remove: async (name, signal) => operator.remove(name, signal),
      enforced: async (query, signal) => operator.enforced(query, signal),
      explain: (question) => operator.explain(question),
      test: (wanted) => operator.test(wanted),
      log: async (after, waitMs) => this.log.after(after, waitMs),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#closer.close();
  }
}

/** Facts from a name and labels, the same for the same objects. */
function keptFacts() {
  const kept = new WeakMap<object, EndpointFacts>();
  return (name: string, labels: Readonly<Record<string, string>>): EndpointFacts => {
    const known = kept.get(labels);
    if (known?.name === name) return known;
    const facts = { name, labels: new Map(Object.entries(labels)) };
    kept.set(labels, facts);
    return facts;
  };
}
