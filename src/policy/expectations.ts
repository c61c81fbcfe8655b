/** What people expect of their policies, in files beside them: flows, and what is to become of each. */
import Type from 'typebox';
import { checkForm } from './check-form.js';
import { type Complaint, invalidPolicy } from './errors.js';
import { type Complain, parseYaml } from './yaml.js';

const text = Type.String({ minLength: 1, maxLength: 256 });

const ExpectationsSchema = Type.Object(
  {
    network: Type.Optional(text),
    expect: Type.Array(
      Type.Object(
        {
          from: text,
          to: text,
          port: text,
          verdict: Type.Enum(['allow', 'deny']),
          comment: Type.Optional(text),
        },
        { additionalProperties: false },
      ),
      { minItems: 1, maxItems: 10_000 },
    ),
  },
  { additionalProperties: false },
);

export interface Expectation {
  readonly network?: string;
  /** A container by name or endpoint id, or an address. */
  readonly from: string;
  readonly to: string;
  /** `tcp/80`, as flow-text.ts has it. */
  readonly port: string;
  readonly verdict: 'allow' | 'deny';
  readonly comment?: string;
  readonly source: string;
  /** From 1. */
  readonly line: number;
}

/** Parses YAML or JSON. Throws INVALID_POLICY that names all that is wrong; `source` is the file's name. */
export function parseExpectations(file: string, source: string): Expectation[] {
  const complaints: Complaint[] = [];
  const expectations = parseYaml(file, source).flatMap(({ value, placeOf }) => {
    const complain: Complain = (path, words) => {
      complaints.push({ ...placeOf(path), text: words });
    };
    const form = checkForm(ExpectationsSchema, value, 'a file of expectations', complain);
    return (form?.expect ?? []).map((each, i) => ({
      ...each,
      ...(form?.network !== undefined && { network: form.network }),
      source,
      line: placeOf(['expect', i]).line,
    }));
  });
  if (complaints.length > 0) throw invalidPolicy(source, complaints);
  return expectations;
}
