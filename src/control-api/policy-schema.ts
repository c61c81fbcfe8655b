import Type, { type Static } from 'typebox';

/* What /v1/policies answers; see schema.ts. */

const text = (description: string) => Type.String({ description });
const count = (description: string) => Type.Integer({ minimum: 0, description });
const optional = Type.Optional;
const names = (description: string) => Type.Array(Type.String(), { description });
const verdict = Type.Enum(['allow', 'deny']);

/** A policy, or what would be one. */
export const PolicySummarySchema = Type.Object({
  id: text('its name, unique in the cluster'),
  networks: names('names of the networks that it is for'),
  tier: Type.Enum(['owner', 'operator']),
  comment: optional(text("its author's")),
  source: text('the file that it came from'),
  line: count('of that file, at which its text begins; from 1'),
  text: text('as its author wrote it'),
  ingress: optional(count('rules about what comes in; absent: none of its business')),
  egress: optional(count('rules about what goes out; absent: none of its business')),
});
export type PolicySummary = Static<typeof PolicySummarySchema>;

export const PolicyFileSchema = Type.Object(
  { source: Type.String({ maxLength: 4096 }), text: Type.String({ maxLength: 1 << 20 }) },
  { additionalProperties: false },
);
export type PolicyFile = Static<typeof PolicyFileSchema>;

/** What `POST /v1/policies` takes. */
export const ApplyPoliciesSchema = Type.Object(
  {
    files: Type.Array(PolicyFileSchema, { minItems: 1, maxItems: 1000 }),
    dryRun: optional(Type.Boolean({ description: 'say what would change, and change nothing' })),
  },
  { additionalProperties: false },
);
export type ApplyPolicies = Static<typeof ApplyPoliciesSchema>;

/** A flow whose fate is another than before. */
export const FlowChangeSchema = Type.Object({
  network: text('its name'),
  from: text("the sender's name or address"),
  to: text("the receiver's name or address"),
  port: text('tcp/80, icmp/8, or a protocol alone'),
  before: verdict,
  after: verdict,
  why: text('what decides now, or would'),
});
export type FlowChange = Static<typeof FlowChangeSchema>;

/** Connections that are alike but for the port that they are asked from. */
export const EndingConnectionsSchema = Type.Object({
  network: text('its name'),
  from: text('who began them: name or address'),
  to: text('with whom'),
  port: text('tcp/80, icmp/8, or a protocol alone'),
  count: count('how many'),
  why: text('what would decide'),
});
export type EndingConnections = Static<typeof EndingConnectionsSchema>;

/** What would become of the connections that the kernel of the host that is asked knows. */
export const ConnectionsChangeSchema = Type.Object({
  ending: Type.Array(EndingConnectionsSchema, { description: 'most first' }),
  goOn: count('connections that would go on'),
  more: optional(count('connections that would end, beyond those in ending')),
  notLookedAt: optional(count('connections for which there was no time')),
});
export type ConnectionsChange = Static<typeof ConnectionsChangeSchema>;

export const AppliedPoliciesSchema = Type.Object({
  version: count('of the policies, as of this change'),
  added: names('names'),
  changed: names('names'),
  unchanged: names('names'),
  unknownNetworks: names('networks that the cluster does not have (yet)'),
  texts: optional(
    Type.Record(Type.String(), Type.String(), {
      description: 'by name, as the files have them, with dryRun',
    }),
  ),
  flows: optional(
    Type.Array(FlowChangeSchema, { description: 'of containers that run, with dryRun' }),
  ),
  notLookedAt: optional(count('pairs of containers for which there was no time, with dryRun')),
  connections: optional(ConnectionsChangeSchema),
});
export type AppliedPolicies = Static<typeof AppliedPoliciesSchema>;

export const EnforcedSchema = Type.Object({
  version: count('the one that was asked for'),
  isEnforced: Type.Boolean({ description: 'every live host enforces it, or a later one' }),
  hosts: Type.Array(
    Type.Object({
      id: text('id of the host'),
      name: text('its name'),
      version: Type.Union([count('that it enforces'), Type.Null()]),
    }),
    { description: 'those that are alive' },
  ),
});
export type EnforcedPolicies = Static<typeof EnforcedSchema>;

export const EnforcedQuerySchema = Type.Object(
  {
    version: optional(count('the newest if absent')),
    waitMs: Type.Integer({ minimum: 0, maximum: 30_000, default: 0 }),
  },
  { additionalProperties: false },
);
export type EnforcedQuery = Static<typeof EnforcedQuerySchema>;

export const PolicyLogEntrySchema = Type.Object({
  id: Type.Integer({ minimum: 0, description: 'rises with time' }),
  at: text('when'),
  network: text('its name'),
  from: text('who sent: name and address'),
  to: text('to whom'),
  port: text('tcp/80, icmp/8, or a protocol'),
  verdict: Type.Enum(['deny', 'log'], { description: 'log: it went on' }),
  why: text('which side, and which rule'),
});
export type PolicyLogEntry = Static<typeof PolicyLogEntrySchema>;

/** What `POST /v1/policies/explain` takes. */
export const ExplainSchema = Type.Object(
  {
    from: text('a container by name or id, or an address'),
    to: text('the same'),
    port: text('tcp/80, udp/53, icmp/8, or the number of another protocol'),
    network: optional(text('its name, if they share several')),
  },
  { additionalProperties: false },
);
export type Explain = Static<typeof ExplainSchema>;

/** What `POST /v1/policies/test` takes. */
export const TestPoliciesSchema = Type.Object(
  {
    tests: Type.Array(PolicyFileSchema, {
      minItems: 1,
      maxItems: 1000,
      description: 'files of expectations',
    }),
    files: optional(
      Type.Array(PolicyFileSchema, {
        maxItems: 1000,
        description: 'files of policies, taken as if they were applied',
      }),
    ),
  },
  { additionalProperties: false },
);
export type TestPolicies = Static<typeof TestPoliciesSchema>;

export const TestedSchema = Type.Object({
  items: Type.Array(
    Type.Object({
      source: text('file of the expectation'),
      line: count('of it'),
      flow: text('who to whom, and what'),
      expected: verdict,
      verdict: Type.Union([verdict, Type.Null()], { description: 'null: there is no such flow' }),
      why: text('in words'),
    }),
  ),
});
export type TestedPolicies = Static<typeof TestedSchema>;

const side = Type.Object({
  verdict,
  why: text('in words'),
  policy: optional(text('name of the policy that decides')),
  rule: optional(count('place of its rule, from 1')),
  source: optional(text('file of the policy')),
  line: optional(count('of the rule in that file')),
  comment: optional(text("the rule's")),
  logs: names('rules that log it'),
});

export const ExplanationSchema = Type.Object({
  network: text('its name'),
  from: text('who sends'),
  to: text('who receives'),
  port: text('what'),
  verdict,
  egress: side,
  ingress: side,
});
export type Explanation = Static<typeof ExplanationSchema>;
export type ExplainedSide = Static<typeof side>;
