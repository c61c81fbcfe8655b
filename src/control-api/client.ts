import Type, { type Static, type TSchema } from 'typebox';
import Value from 'typebox/value';
import { SocketError, callOverSocket } from '../util/index.js';
import { ControlError } from './errors.js';
import {
  type AppliedPolicies,
  AppliedPoliciesSchema,
  type ApplyPolicies,
  type EnforcedPolicies,
  EnforcedSchema,
  type Explain,
  type Explanation,
  ExplanationSchema,
  type PolicyLogEntry,
  PolicyLogEntrySchema,
  type PolicySummary,
  PolicySummarySchema,
  type TestPolicies,
  type TestedPolicies,
  TestedSchema,
} from './policy-schema.js';
import {
  type Endpoint,
  EndpointSchema,
  type Event,
  type EventLoop,
  EventLoopSchema,
  EventSchema,
  ErrorSchema,
  type Host,
  HostSchema,
  type Network,
  type NewNetwork,
  NetworkSchema,
  type Status,
  StatusSchema,
  pageSchema,
} from './schema.js';

/** Where the daemon listens unless told otherwise. */
export const DEFAULT_CONTROL_SOCKET = '/run/weft/control.sock';

/** A page of 1000 endpoints is some 300 KB. */
const MAX_REPLY_BYTES = 16_000_000;

/** Changes ask the store, and wait for what they set off. */
const CHANGE_TIMEOUT_MS = 60_000;

interface Call {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: string;
  readonly json?: unknown;
  readonly timeoutMs: number;
}

export interface ControlClientOptions {
  readonly socketPath: string;
  /** Bound of each call, 5 s by default: the daemon answers within 4. */
  readonly timeoutMs?: number;
}

/** Asks a running daemon. Every call throws a ControlError, whatever goes wrong. */
export class ControlClient {
  readonly #socketPath: string;
  readonly #timeoutMs: number;

  constructor({ socketPath, timeoutMs = 5000 }: ControlClientOptions) {
    this.#socketPath = socketPath;
    this.#timeoutMs = timeoutMs;
  }

  async status(): Promise<Status> {
    return this.#get('/v1/status', StatusSchema);
  }

  /** How long the daemon's callbacks waited for each other since the last call; the first starts measuring. */
  async eventLoop(): Promise<EventLoop> {
    return this.#get('/v1/event-loop', EventLoopSchema);
  }

  /** All of them, by id; the pages are read one after another. So are those of the other lists. */
  async networks(): Promise<Network[]> {
    return this.#all('/v1/networks', NetworkSchema);
  }

  async endpoints(): Promise<Endpoint[]> {
    return this.#all('/v1/endpoints', EndpointSchema);
  }

  async hosts(): Promise<Host[]> {
    return this.#all('/v1/hosts', HostSchema);
  }

  /** What happened after the event with this id, oldest first; waits for it up to half the bound of a call. */
  async events(after = 0, { wait = false } = {}): Promise<Event[]> {
    const waitMs = wait ? Math.floor(this.#timeoutMs / 2) : 0;
    const query = `?after=${after}&waitMs=${waitMs}`;
    return (await this.#get('/v1/events', pageSchema(EventSchema), query)).items;
  }

  /** Makes a network on the daemon's host, and so on every host; resolves when the cluster knows it. */
  async createNetwork(json: NewNetwork): Promise<Network> {
    const call = {
      method: 'POST',
      path: '/v1/networks',
      json,
      timeoutMs: CHANGE_TIMEOUT_MS,
    } as const;
    return this.#call(call, NetworkSchema);
  }

  /** Removes a network that nobody uses from every host, by name or id; resolves when it is gone from the daemon's. */
  async removeNetwork(nameOrId: string): Promise<void> {
    const path = `/v1/networks/${encodeURIComponent(nameOrId)}`;
    await this.#call({ method: 'DELETE', path, timeoutMs: CHANGE_TIMEOUT_MS }, Type.Object({}));
  }

  async policies(): Promise<PolicySummary[]> {
    return this.#all('/v1/policies', PolicySummarySchema);
  }

  /** Adds and replaces policies, or says what that would change. */
  async applyPolicies(json: ApplyPolicies): Promise<AppliedPolicies> {
    const [method, path, timeoutMs] = ['POST', '/v1/policies', CHANGE_TIMEOUT_MS] as const;
    return this.#call({ method, path, json, timeoutMs }, AppliedPoliciesSchema);
  }

  /** Removes a policy; answers the version of the policies without it. */
  async removePolicy(name: string): Promise<number> {
    const path = `/v1/policies/${encodeURIComponent(name)}`;
    const schema = Type.Object({ version: Type.Integer() });
    const call = { method: 'DELETE', path, timeoutMs: CHANGE_TIMEOUT_MS } as const;
    return (await this.#call(call, schema)).version;
  }

  /** Which hosts enforce a version, the newest by default; waits until all live ones do, at most this long. */
  async enforcedPolicies({
    version,
    waitMs = 0,
  }: { readonly version?: number; readonly waitMs?: number } = {}): Promise<EnforcedPolicies> {
    const path = '/v1/policies/enforced';
    const query = `?waitMs=${waitMs}${version === undefined ? '' : `&version=${version}`}`;
    const timeoutMs = this.#timeoutMs + waitMs;
    return this.#call({ method: 'GET', path, query, timeoutMs }, EnforcedSchema);
  }

  /** What becomes of a flow, and what decides it. */
  async explain(json: Explain): Promise<Explanation> {
    const [method, path, timeoutMs] = ['POST', '/v1/policies/explain', this.#timeoutMs] as const;
    return this.#call({ method, path, json, timeoutMs }, ExplanationSchema);
  }

  /** Whether flows meet the fate that is expected. */
  async testPolicies(json: TestPolicies): Promise<TestedPolicies> {
    const [method, path, timeoutMs] = ['POST', '/v1/policies/test', CHANGE_TIMEOUT_MS] as const;
    return this.#call({ method, path, json, timeoutMs }, TestedSchema);
  }

  /** Packets denied or logged on the daemon's host; as `events`. */
  async policyLog(after = 0, { wait = false } = {}): Promise<PolicyLogEntry[]> {
    const waitMs = wait ? Math.floor(this.#timeoutMs / 2) : 0;
    const query = `?after=${after}&waitMs=${waitMs}`;
    return (await this.#get('/v1/policies/log', pageSchema(PolicyLogEntrySchema), query)).items;
  }

  /** Takes a host that is away out of the cluster, by name or id; resolves when what it had is free. */
  async removeHost(nameOrId: string): Promise<void> {
    const path = `/v1/hosts/${encodeURIComponent(nameOrId)}`;
    await this.#call({ method: 'DELETE', path, timeoutMs: CHANGE_TIMEOUT_MS }, Type.Object({}));
  }

  async #all<T extends TSchema>(path: string, item: T): Promise<Static<T>[]> {
    const items: Static<T>[] = [];
    let query = '?limit=1000';
    for (;;) {
      const page = await this.#get(path, pageSchema(item), query);
      items.push(...page.items);
      if (page.next === undefined) return items;
      query = `?limit=1000&after=${encodeURIComponent(page.next)}`;
    }
  }

  async #get<T extends TSchema>(path: string, schema: T, query = ''): Promise<Static<T>> {
    return this.#call({ method: 'GET', path, query, timeoutMs: this.#timeoutMs }, schema);
  }

  async #call<T extends TSchema>(
    { path, query = '', ...rest }: Call,
    schema: T,
  ): Promise<Static<T>> {
    const { status, body } = await this.#ask({ ...rest, path: path + query });
    const value = fromJson(body);
    if (status !== 200) {
      const message = Value.Check(ErrorSchema, value) ? value.error.message : body.slice(0, 200);
      // A refused change is about what was asked, whatever the path.
      const text = status === 409 ? message : `the daemon answered ${path}: ${message}`;
      throw new ControlError({ code: 'DAEMON_REFUSED', status }, text);
    }
    if (Value.Check(schema, value)) return value as Static<T>;
    throw new ControlError(
      { code: 'DAEMON_UNREADABLE', path },
      `the daemon's answer to ${path} is of another version than this command; upgrade the older of the two`,
    );
  }

  async #ask(call: Omit<Call, 'query'>) {
    const socketPath = this.#socketPath;
    try {
      return await callOverSocket({ socketPath, ...call, maxBytes: MAX_REPLY_BYTES });
    } catch (cause) {
      if (!(cause instanceof SocketError)) throw cause;
      const code = isForbidden(cause) ? 'DAEMON_FORBIDDEN' : 'DAEMON_UNREACHABLE';
      const message = `no daemon answers: ${cause.message}`;
      throw new ControlError({ code, socket: socketPath }, message, { cause });
    }
  }
}

function isForbidden({ detail }: SocketError): boolean {
  return detail.code === 'SOCKET_UNREACHABLE' && ['EACCES', 'EPERM'].includes(detail.errno);
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
