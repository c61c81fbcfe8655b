import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { runByClock } from './call-clock.js';
import type { IpamDriver, NetworkDriver } from './drivers.js';
import { PluginApiError } from './errors.js';
import { ipamMethods } from './ipam-methods.js';
import { type Method, type Subject, plain } from './methods.js';
import { networkMethods } from './network-methods.js';
import { failureOf } from './status.js';

/** How one call of Docker's ended; the daemon logs it. */
export interface CallReport extends Subject {
  /** As on the wire: "NetworkDriver.Join". */
  readonly method: string;
  readonly requestId: string;
  readonly durationMs: number;
  /** `refused`: the caller's doing (status 4xx); `failed`: ours; `timed_out`: failed by our clock. */
  readonly outcome: 'ok' | 'refused' | 'failed' | 'timed_out';
  /** What was thrown, with its cause and stack; Docker got one line of it. */
  readonly error?: unknown;
}

export interface PluginApiOptions {
  readonly network: NetworkDriver;
  readonly ipam: IpamDriver;
  /** Bound of one call, 10 s by default: below the 15 s after which dockerd gives a plugin up. */
  readonly callTimeoutMs?: number;
  /** Must not throw. */
  readonly onCall?: (report: CallReport) => void;
}

/** A container with every port published sends some 7 MB of port options. */
const BODY_LIMIT = 32 * 1024 * 1024;

/** Docker's plugin protocol as a Fastify application that nobody listens to yet. */
export function pluginApp(options: PluginApiOptions): FastifyInstance {
  const boot = randomBytes(3).toString('hex');
  let calls = 0;
  const app = fastify({
    logger: false,
    bodyLimit: BODY_LIMIT,
    genReqId: () => `${boot}-${(calls += 1)}`,
    return503OnClosing: false,
    forceCloseConnections: true,
  });
  // dockerd keeps idle connections; closing one while it sends makes it retry with an empty body. So none is ever closed.
  // Set here because Fastify takes a 0 among its options for "the default".
  Object.assign(app.server, { keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 });
  // dockerd sends no Content-Type, and Fastify reads no body without a parser that claims it.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));

  const methods: Readonly<Record<string, Method>> = {
    'Plugin.Activate': plain({ Implements: ['NetworkDriver', 'IpamDriver'] }),
    ...networkMethods(options.network),
    ...ipamMethods(options.ipam),
  };
  for (const [name, method] of Object.entries(methods)) {
    app.post(`/${name}`, async (request, reply) => answer(name, method, request, reply, options));
  }
  app.setNotFoundHandler((request, reply) => {
    const name = request.url.slice(1, 80);
    const error = new PluginApiError(
      { code: 'UNKNOWN_METHOD', method: name },
      `weft has no method ${request.method} ${name}`,
    );
    return fail(name, error, { startedAt: performance.now() }, request, reply, options);
  });
  app.setErrorHandler((cause: Error & { statusCode?: number }, request, reply) => {
    const error =
      cause.statusCode !== undefined && cause.statusCode < 500
        ? new PluginApiError({ code: 'INVALID_REQUEST', field: 'request' }, cause.message, {
            cause,
          })
        : cause;
    const call = { startedAt: performance.now() };
    return fail(request.url.slice(1, 80), error, call, request, reply, options);
  });
  return app;
}

interface Call {
  readonly startedAt: number;
  readonly subject?: Subject;
}

async function answer(
  name: string,
  method: Method,
  request: FastifyRequest,
  reply: FastifyReply,
  options: PluginApiOptions,
): Promise<FastifyReply> {
  let call: Call = { startedAt: performance.now() };
  try {
    const body = typeof request.body === 'string' ? request.body : '';
    const { subject, run } = method(body);
    call = { ...call, subject };
    const result = await runByClock(name, request.id, options.callTimeoutMs ?? 10_000, run);
    options.onCall?.({ ...report(name, call, request), outcome: 'ok' });
    return reply.send(result);
  } catch (error) {
    return fail(name, error, call, request, reply, options);
  }
}

/** Docker reads `Err` from either side at any status but 200; at 200 the two sides read different fields. So: never 200. */
function fail(
  name: string,
  error: unknown,
  call: Call,
  request: FastifyRequest,
  reply: FastifyReply,
  options: PluginApiOptions,
): FastifyReply {
  const { status, text } = failureOf(error, request.id);
  const timedOut = error instanceof PluginApiError && error.code === 'TIMED_OUT';
  const outcome = timedOut ? 'timed_out' : status < 500 ? 'refused' : 'failed';
  options.onCall?.({ ...report(name, call, request), outcome, error });
  return reply.code(status).send({ Err: text, Error: text });
}

function report(method: string, { startedAt, subject }: Call, request: FastifyRequest) {
  const durationMs = performance.now() - startedAt;
  return { method, requestId: request.id, durationMs, ...subject };
}
