/** The form of policy files. docs/policy.schema.json is this schema; a test holds the two equal. */
import Type, { type Static, type TProperties } from 'typebox';

/** Of a policy and of a network: what Docker takes as a name. */
const NAME = '^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$';
/** The userdata of nftables has room for 127 octets; a comment is to be seen there. */
const COMMENT_LENGTH = 100;

const closed = <T extends TProperties>(properties: T, rest: object = {}) =>
  Type.Object(properties, { additionalProperties: false, ...rest });
const list = <T extends Type.TSchema>(items: T, description: string) =>
  Type.Array(items, { minItems: 1, maxItems: 1000, description });
const text = (description: string, rest: object = {}) =>
  Type.String({ minLength: 1, maxLength: 256, description, ...rest });

const comment = Type.Optional(
  text('for people; nft shows it', { maxLength: COMMENT_LENGTH, pattern: '^[^\\p{Cc}]*$' }),
);

const labelValue = Type.String({ maxLength: 256 });

const LabelSchema = Type.Union(
  [
    labelValue,
    closed(
      {
        in: Type.Optional(list(labelValue, 'the label has one of these values')),
        'not-in': Type.Optional(list(labelValue, 'the label has none of these, or is not there')),
        exists: Type.Optional(
          Type.Boolean({ description: 'true: the label is there, false: it is not' }),
        ),
      },
      { minProperties: 1 },
    ),
  ],
  { description: 'the value that the label has, or in, not-in, exists: all that is given holds' },
);

const BlockSchema = closed({
  prefix: text('an address and the length of a prefix: 10.0.0.0/8'),
  except: Type.Optional(list(Type.String(), 'prefixes within it that are left out')),
});

const SelectorSchema = closed(
  {
    labels: Type.Optional(
      Type.Record(Type.String(), LabelSchema, {
        minProperties: 1,
        description: 'by label; all of them hold',
      }),
    ),
    names: Type.Optional(
      list(
        text('a name', { pattern: '^[A-Za-z0-9_.*?-]+$' }),
        'container names, any of them; * stands for any characters, ? for one',
      ),
    ),
    project: Type.Optional(text('the Compose project')),
    service: Type.Optional(text('the Compose service')),
    hosts: Type.Optional(list(text('a host'), 'names of hosts, any of them')),
    blocks: Type.Optional(list(BlockSchema, 'addresses, in any of them')),
  },
  { description: 'all that is given holds; nothing given: every container of the network' },
);

const rulePeers = Type.Optional(
  list(SelectorSchema, 'the other side, any of them; absent: everybody'),
);
const ruleFields = {
  action: Type.Enum(['allow', 'deny', 'log']),
  ports: Type.Optional(
    list(
      text('tcp, tcp/80, udp/8000-8010, sctp/NAME, icmp, icmpv6/128'),
      'any of them; absent: every protocol',
    ),
  ),
  comment,
};

const rules = <T extends Type.TSchema>(rule: T, description: string) =>
  Type.Optional(Type.Array(rule, { maxItems: 10_000, description }));

export const PolicySchema = closed(
  {
    name: Type.String({ pattern: NAME, description: 'unique in the cluster' }),
    networks: list(Type.String({ pattern: NAME }), 'the networks that it is for'),
    tier: Type.Optional(
      Type.Enum(['owner', 'operator'], {
        description: 'operator is judged first and is final; default: owner',
      }),
    ),
    comment,
    endpoints: SelectorSchema,
    ingress: rules(
      closed({ ...ruleFields, from: rulePeers }),
      'what they may receive; an empty list: nothing',
    ),
    egress: rules(
      closed({ ...ruleFields, to: rulePeers }),
      'what they may send; an empty list: nothing',
    ),
  },
  { description: 'who may talk to whom on networks of weft' },
);

export type PolicyForm = Static<typeof PolicySchema>;
export type SelectorForm = Static<typeof SelectorSchema>;
