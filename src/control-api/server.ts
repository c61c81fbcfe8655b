import type { FastifyInstance } from 'fastify';
import { AppError, claimUnixSocket, messageOf } from '../util/index.js';
import {
  type EventQuery,
  EventQuerySchema,
  type NewNetwork,
  NewNetworkSchema,
  type Page,
  type PageQuery,
  PageQuerySchema,
} from './schema.js';
import { policyRoutes } from './policy-routes.js';
import type { Source } from './source.js';

export interface ControlServerOptions {
  readonly socketPath: string;
  readonly source: Source;
  /** An answer that the source could not give; the caller was told the message. */
  readonly onError?: (path: string, error: unknown) => void;
}

/**
 * Answers operators on a unix socket that only root can open (mode 0600 in a directory of mode 0700).
 *
 * Disposing takes the path away and closes the connections. Throws SOCKET_IN_USE when another process listens there.
 */
export async function openControlServer(options: ControlServerOptions): Promise<AsyncDisposable> {
  const app = await controlApp(options);
  await app.ready();
  try {
    const path = await claimUnixSocket({
      path: options.socketPath,
      mode: 0o600,
      directoryMode: 0o700,
      listen: async (at) => app.listen({ path: at }),
    });
    return {
      [Symbol.asyncDispose]: async () => {
        await path[Symbol.asyncDispose]();
        await app.close();
      },
    };
  } catch (error) {
    await app.close();
    throw error;
  }
}

/** The control API as a Fastify application that nobody listens to yet. */
export async function controlApp({
  source,
  onError,
}: Omit<ControlServerOptions, 'socketPath'>): Promise<FastifyInstance> {
  // Here, so that the weft command, which enters this folder for the client, does not load it.
  const { default: fastify } = await import('fastify');
  const app = fastify({
    logger: false,
    forceCloseConnections: true,
    // A parameter that is not known is an error, not something to overlook.
    ajv: { customOptions: { removeAdditional: false } },
  });
  app.get('/v1/status', async () => source.status());
  app.get('/v1/event-loop', async () => source.eventLoop());
  list(app, '/v1/networks', async () => source.networks());
  list(app, '/v1/endpoints', async () => source.endpoints());
  list(app, '/v1/hosts', async () => source.hosts());
  app.get<{ Querystring: EventQuery }>(
    '/v1/events',
    { schema: { querystring: EventQuerySchema } },
    async ({ query: { after, waitMs } }) => ({ items: await source.events(after, waitMs) }),
  );

  app.post<{ Body: NewNetwork }>(
    '/v1/networks',
    { schema: { body: NewNetworkSchema } },
    async ({ body }) => source.createNetwork(body),
  );
  app.delete<{ Params: { name: string } }>('/v1/networks/:name', async ({ params: { name } }) => {
    await source.removeNetwork(name);
    return {};
  });
  app.delete<{ Params: { name: string } }>('/v1/hosts/:name', async ({ params: { name } }) => {
    await source.removeHost(name);
    return {};
  });

  list(app, '/v1/policies', async () => source.policies.list());
  policyRoutes(app, source.policies);

  app.setNotFoundHandler((request, reply) => {
    const message = `there is no ${request.method} ${request.url.slice(0, 80)}`;
    return reply.code(404).send({ error: { code: 'NOT_FOUND', message } });
  });
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    // What the daemon refuses has a code and words of its own.
    if (error instanceof AppError) {
      const { code } = error as AppError<{ code: string }>;
      return reply.code(409).send({ error: { code, message: error.message } });
    }
    const { statusCode = 500 } = error;
    const code = statusCode < 500 ? 'BAD_REQUEST' : 'INTERNAL';
    if (statusCode >= 500) onError?.(request.url, error);
    return reply.code(statusCode).send({ error: { code, message: messageOf(error) } });
  });
  return app;
}

interface WithId {
  readonly id: string;
}

function list<T extends WithId>(
  app: FastifyInstance,
  path: string,
  all: () => Promise<readonly T[]>,
): void {
  const schema = { querystring: PageQuerySchema };
  app.get<{ Querystring: PageQuery }>(path, { schema }, async (request) =>
    pageOf(await all(), request.query),
  );
}

/** Keyset paging: what comes and goes between two pages moves nothing else. */
function pageOf<T extends WithId>(items: readonly T[], { limit, after }: PageQuery): Page<T> {
  const rest = items
    .filter((item) => after === undefined || item.id > after)
    .toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const page = rest.slice(0, limit);
  const last = page.at(-1);
  return rest.length > limit && last ? { items: page, next: last.id } : { items: page };
}
