import type { PolicyLogEntry } from '../control-api/index.js';
import type { Bindings } from '../driver/index.js';
import type { nft } from '../netlink/index.js';
import {
  type Decision,
  type Flow,
  LOG_GROUP,
  type NetworkPolicies,
  decide,
  flowText,
  readFlow,
} from '../policy/index.js';
import { messageOf } from '../util/index.js';
import type { KernelDatapath } from '../vxlan/index.js';
import { reasonText } from './explanation.js';
import { Feed } from './feed.js';
import type { Log } from './log.js';

/** The last minutes of a flood, the last days of a quiet host. */
const KEPT = 2000;
const REOPEN_MS = 5000;

export interface PolicyLogDeps {
  readonly bindings: Bindings;
  readonly datapath: Pick<KernelDatapath, 'openPacketLog'>;
  /** All that decides about the flows of a network, as it is now. */
  readonly networkOf: (networkId: string) => NetworkPolicies | undefined;
  readonly log: Pick<Log, 'warn'>;
}

/** Packets that policies denied here, or that their rules log, with names for addresses: what `weft policy log` shows. */
export class PolicyLog implements AsyncDisposable {
  readonly #deps: PolicyLogDeps;
  readonly #feed = new Feed<PolicyLogEntry>(KEPT);
  readonly #open = new Map<string, Promise<Disposable | undefined>>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #lastId = Date.now();
  #isClosed = false;

  constructor(deps: PolicyLogDeps) {
    this.#deps = deps;
  }

  /** A network has rules, which log; or has none any more. */
  follow(networkId: string, hasRules: boolean): void {
    if (hasRules && !this.#isClosed) {
      if (!this.#open.has(networkId)) this.#open.set(networkId, this.#listen(networkId));
      return;
    }
    const open = this.#open.get(networkId);
    this.#open.delete(networkId);
    void open?.then((listening) => listening?.[Symbol.dispose]());
  }

  async after(id: number, waitMs: number): Promise<PolicyLogEntry[]> {
    return this.#feed.after(id, waitMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    for (const networkId of this.#open.keys()) {
      (await this.#open.get(networkId))?.[Symbol.dispose]();
    }
    await this.#feed[Symbol.asyncDispose]();
  }

  async #listen(networkId: string): Promise<Disposable | undefined> {
    const { datapath, log } = this.#deps;
    const failed = (error: unknown): undefined => {
      const reason = messageOf(error);
      log.warn({ network: networkId, reason }, 'denied packets are not heard of; will be retried');
      this.#open.delete(networkId);
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        if (this.#deps.networkOf(networkId)) this.follow(networkId, true);
      }, REOPEN_MS);
      this.#timers.add(timer);
    };
    try {
      return await datapath.openPacketLog(networkId, {
        group: LOG_GROUP,
        onPacket: (packet) => {
          if (packet.type === 'packet') this.#take(networkId, packet);
        },
        onError: failed,
      });
    } catch (error) {
      return failed(error);
    }
  }

  #take(networkId: string, { prefix, octets }: nft.LoggedPacket): void {
    const flow = readFlow(octets);
    const policies = this.#deps.networkOf(networkId);
    const network = this.#deps.bindings.byNetworkId(networkId)?.network;
    if (!flow || !policies || !network) return;
    const verdict = prefix === 'denied' ? 'deny' : 'log';
    this.#feed.add({
      id: (this.#lastId += 1),
      at: new Date().toISOString(),
      network: network.name ?? network.id,
      from: calledOf(policies, flow.source),
      to: calledOf(policies, flow.destination),
      port: flowText(flow),
      verdict,
      why: whyOf(decide(policies, flow), verdict),
    });
  }
}

function calledOf({ endpoints }: NetworkPolicies, address: Flow['source']): string {
  const name = endpoints.find((each) => each.addresses.includes(address))?.facts?.name;
  return name === undefined ? address : `${name} (${address})`;
}

function whyOf({ verdict, egress, ingress }: Decision, logged: 'deny' | 'log'): string {
  if (logged === 'log') {
    const rules = [...egress.logs, ...ingress.logs];
    const [first] = rules;
    return first ? `rule ${first.rule + 1} of policy "${first.policy}" logs it` : 'a rule logs it';
  }
  if (verdict === 'allow') return 'it belongs to a connection that is denied now';
  const [side, { reason }] =
    egress.verdict === 'deny' ? (['sender', egress] as const) : (['receiver', ingress] as const);
  return `${side}'s side: ${reasonText(reason)}`;
}
