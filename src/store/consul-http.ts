import { EventEmitter } from 'node:events';
import http, { type ClientRequest, type IncomingMessage } from 'node:http';
import https from 'node:https';
import Consul from 'consul';

/**
 * The npm client, with the types it really has and its traps closed. What it lacks and this adds: a reply cut in the middle
 * fails at once (it would wait for its timeout), bodies reach us as they came (it decodes values in a callback, where an
 * element that is no object would end the process), an AbortSignal cancels. Its Watch is not used.
 */
export interface NpmConsul {
  readonly kv: {
    get(options: ReadOptions): Promise<unknown>;
    keys(options: ReadOptions): Promise<unknown>;
  };
  readonly transaction: { create(operations: unknown, options: CallContext): Promise<unknown> };
  readonly session: {
    create(options: SessionOptions): Promise<unknown>;
    renew(options: CallContext & { readonly id: string }): Promise<unknown>;
    destroy(options: CallContext & { readonly id: string }): Promise<unknown>;
  };
  destroy(): void;
}

/** Per call; `timeout` in milliseconds covers it from the wait for a socket to the end of the body. */
export interface CallContext {
  readonly timeout: number;
  readonly ctx: EventEmitter;
  readonly consistent?: boolean;
}

export interface ReadOptions extends CallContext {
  readonly key: string;
  readonly recurse?: true;
  readonly index?: string;
  /** A Go duration. */
  readonly wait?: string;
}

export interface SessionOptions extends CallContext {
  readonly name: string;
  readonly ttl: string;
  readonly behavior: 'delete';
  readonly lockdelay: string;
  readonly checks: readonly never[];
}

export interface ConsulTls {
  /** PEM text, as `cert` and `key`. Absent: the system's roots. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** The name that the certificate must have, when it is not the address's. */
  readonly serverName?: string;
  /** False takes any certificate. Default true. */
  readonly verify?: boolean;
}

export interface HttpOptions {
  /** http or https URL of an agent or server. */
  readonly address: string;
  readonly token?: string;
  readonly datacenter?: string;
  readonly tls?: ConsulTls;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly payload: unknown;
}

/** Probes soon enough that a host that went away without a word is noticed within half a minute. */
const KEEPALIVE_MS = 10_000;

/** `maxSockets` bounds the calls that run at once; more wait their turn. */
export function openNpmConsul(options: HttpOptions, maxSockets: number): NpmConsul {
  const { tls = {}, token, datacenter } = options;
  const secure = options.address.startsWith('https:');
  const agentOptions = { keepAlive: true, keepAliveMsecs: KEEPALIVE_MS, maxSockets };
  const agent = secure ? new https.Agent(agentOptions) : new http.Agent(agentOptions);
  const client = new Consul({
    baseUrl: `${options.address.replace(/\/+$/u, '')}/v1`,
    agent,
    defaults: { ...(token ? { token } : {}), ...(datacenter ? { dc: datacenter } : {}) },
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
    ...(tls.verify === false ? { rejectUnauthorized: false } : {}),
  } as ConstructorParameters<typeof Consul>[0]) as unknown as NpmConsul & Extensible;
  // oxlint-disable-next-line no-underscore-dangle -- the client's own name for its hooks
  const hook = client._ext.bind(client);
  hook('onRequest', failOnCut);
  hook('onResponse', keepPayload);
  return client;
}

/** Runs one call of the npm client under a signal. Throws what it throws; on abort the signal's reason. */
export async function callNpm(
  signal: AbortSignal,
  call: (ctx: EventEmitter) => Promise<unknown>,
): Promise<Reply> {
  signal.throwIfAborted();
  // `includeResponse` makes it resolve to [response, data].
  const ctx = Object.assign(new EventEmitter(), { includeResponse: true });
  const cancel = (): void => void ctx.emit('cancel');
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const [response] = (await call(ctx)) as [IncomingMessage & { payload?: unknown }];
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      payload: response.payload,
    };
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}

/** The HTTP client's hooks around a request. */
interface Extensible {
  _ext(event: string, hook: (request: HookedRequest, next: () => void) => void): void;
}

interface HookedRequest {
  transport: { request(options: unknown): ClientRequest };
  res?: { body?: unknown; payload?: unknown };
}

/** It listens for a reply's `end` only, which does not come when the connection goes away before. */
function failOnCut(request: HookedRequest, next: () => void): void {
  const { transport } = request;
  request.transport = {
    request: (options) => {
      const sent = transport.request(options);
      let response: IncomingMessage | undefined;
      sent.once('response', (message) => (response = message));
      sent.once('close', () => {
        if (response?.complete !== true) sent.emit('error', new Error('the reply was cut off'));
      });
      return sent;
    },
  };
  next();
}

/** Puts the parsed body where the client's own decoding does not look. */
function keepPayload(request: HookedRequest, next: () => void): void {
  if (request.res) {
    request.res.payload = request.res.body;
    delete request.res.body;
  }
  next();
}
