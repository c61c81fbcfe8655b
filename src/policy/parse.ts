/** Policy files: from text to policies, and back to the lines that people wrote. */
import { type Complaint, invalidPolicy } from './errors.js';
import type { Direction, Policy, Rule } from './model.js';
import { parsePort } from './port.js';
import { type PolicyForm, PolicySchema, type SelectorForm } from './schema.js';
import { parseSelector } from './selector.js';
import { checkForm } from './check-form.js';
import { type Complain, type Path, type YamlDocument, parseYaml } from './yaml.js';

/** A policy as a file has it. */
export interface PolicyDocument {
  readonly policy: Policy;
  /** Names of the networks that it is for. */
  readonly networks: readonly string[];
  /** The file. */
  readonly source: string;
  /** The policy as it was written, and the line of the file at which that begins. */
  readonly text: string;
  readonly textLine: number;
  /** Line of the policy, and of each of its rules by direction and place; from 1. */
  readonly line: number;
  readonly ruleLines: Readonly<Record<Direction, readonly number[]>>;
}

/**
 * Parses YAML or JSON, one policy a document. Throws INVALID_POLICY that names all that is wrong, each with its place;
 * `source` is the file's name.
 */
export function parsePolicies(text: string, source: string): PolicyDocument[] {
  const complaints: Complaint[] = [];
  const parsed = parseYaml(text, source).map((document) => {
    const complain: Complain = (path, words) => {
      complaints.push({ ...document.placeOf(path), text: words });
    };
    const form = checkForm(PolicySchema, document.value, 'a policy', complain);
    if (!form) return undefined;
    return documentOf(form, document, source, complain);
  });
  const documents = parsed.filter((each) => each !== undefined);
  complaints.push(...doubles(documents));
  if (complaints.length > 0) throw invalidPolicy(source, complaints);
  return documents;
}

function documentOf(
  form: PolicyForm,
  { placeOf, text, line: textLine }: YamlDocument,
  source: string,
  complain: Complain,
): PolicyDocument {
  const { name, networks, tier = 'owner', comment, ingress, egress } = form;
  if (!ingress && !egress) {
    complain(['name'], `policy "${name}" has neither ingress nor egress, and so does nothing`);
  }
  const linesOf = (direction: Direction) =>
    (form[direction] ?? []).map((_, index) => placeOf([direction, index]).line);
  const policy: Policy = {
    name,
    tier,
    ...(comment !== undefined && { comment }),
    endpoints: parseSelector(form.endpoints, ['endpoints'], complain),
    ...(ingress && {
      ingress: ingress.map(({ from, ...rest }, index) =>
        ruleOf({ peers: from, ...rest }, ['ingress', index], 'from', complain),
      ),
    }),
    ...(egress && {
      egress: egress.map(({ to, ...rest }, index) =>
        ruleOf({ peers: to, ...rest }, ['egress', index], 'to', complain),
      ),
    }),
  };
  return {
    policy,
    networks: [...new Set(networks)],
    source,
    text,
    textLine,
    line: placeOf(['name']).line,
    ruleLines: { ingress: linesOf('ingress'), egress: linesOf('egress') },
  };
}

interface RuleForm {
  readonly action: Rule['action'];
  readonly peers: readonly SelectorForm[] | undefined;
  readonly ports?: readonly string[];
  readonly comment?: string;
}

function ruleOf(form: RuleForm, path: Path, side: 'from' | 'to', complain: Complain): Rule {
  const { action, peers, ports, comment } = form;
  return {
    action,
    ...(comment !== undefined && { comment }),
    ...(peers && {
      peers: peers.map((peer, i) => parseSelector(peer, [...path, side, i], complain)),
    }),
    ...(ports && {
      ports: ports.flatMap((port, i) => parsePort(port, [...path, 'ports', i], complain) ?? []),
    }),
  };
}

/** Two policies of one name: the second would take the place of the first. */
function doubles(documents: readonly PolicyDocument[]): Complaint[] {
  const seen = new Map<string, number>();
  return documents.flatMap(({ policy: { name }, line }) => {
    const before = seen.get(name);
    if (before === undefined) seen.set(name, line);
    if (before === undefined) return [];
    return [{ line, column: 1, text: `there is a policy "${name}" already, on line ${before}` }];
  });
}
