import type { FastifyInstance } from 'fastify';
import {
  type ApplyPolicies,
  ApplyPoliciesSchema,
  type EnforcedQuery,
  EnforcedQuerySchema,
  type Explain,
  ExplainSchema,
  type TestPolicies,
  TestPoliciesSchema,
} from './policy-schema.js';
import { type EventQuery, EventQuerySchema } from './schema.js';
import type { PolicySource } from './source.js';

/** A change asks the store; who is not done by then is told so. */
const CHANGE_MS = 30_000;
/** Files of policies are at most 1 MiB each. */
const MAX_BODY_BYTES = 16 << 20;

/** What operators ask of policies, but for the list. */
export function policyRoutes(app: FastifyInstance, policies: PolicySource): void {
  app.post<{ Body: ApplyPolicies }>(
    '/v1/policies',
    { schema: { body: ApplyPoliciesSchema }, bodyLimit: MAX_BODY_BYTES },
    async ({ body }) => policies.apply(body, AbortSignal.timeout(CHANGE_MS)),
  );
  app.delete<{ Params: { name: string } }>('/v1/policies/:name', async ({ params: { name } }) => ({
    version: await policies.remove(name, AbortSignal.timeout(CHANGE_MS)),
  }));
  app.get<{ Querystring: EnforcedQuery }>(
    '/v1/policies/enforced',
    { schema: { querystring: EnforcedQuerySchema } },
    async ({ query }) => policies.enforced(query, AbortSignal.timeout(CHANGE_MS + query.waitMs)),
  );
  app.post<{ Body: Explain }>(
    '/v1/policies/explain',
    { schema: { body: ExplainSchema } },
    async ({ body }) => policies.explain(body),
  );
  app.get<{ Querystring: EventQuery }>(
    '/v1/policies/log',
    { schema: { querystring: EventQuerySchema } },
    async ({ query: { after, waitMs } }) => ({ items: await policies.log(after, waitMs) }),
  );
  app.post<{ Body: TestPolicies }>(
    '/v1/policies/test',
    { schema: { body: TestPoliciesSchema }, bodyLimit: MAX_BODY_BYTES },
    async ({ body }) => policies.test(body),
  );
}
