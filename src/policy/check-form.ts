import type { Static, TSchema } from 'typebox';
import Value from 'typebox/value';
import type { Complain, Path } from './yaml.js';

/** The value, when it has the form of `what`; else complains of all that has not, and is undefined. */
export function checkForm<S extends TSchema>(
  schema: S,
  value: unknown,
  what: string,
  complain: Complain,
): Static<S> | undefined {
  if (Value.Check(schema, value)) return value;
  const said = new Set<string>();
  for (const error of Value.Errors(schema, value)) {
    for (const [path, words] of complaintsOf(error, what)) {
      const key = JSON.stringify([path, words]);
      if (!said.has(key)) complain(path, words);
      said.add(key);
    }
  }
  if (said.size === 0) complain([], `this is not ${what}`);
  return undefined;
}

type SchemaError = ReturnType<typeof Value.Errors>[number];

function complaintsOf(error: SchemaError, what: string): [Path, string][] {
  const path = pathOf(error.instancePath);
  const name = path.length > 0 ? `"${path.join('.')}"` : what;
  const { keyword } = error;
  // Said again by additionalProperties, which knows around what.
  if (keyword === 'boolean') return [];
  if (keyword === 'additionalProperties') {
    return error.params.additionalProperties.map((key) => [
      [...path, key],
      `there is no "${key}" in ${name}`,
    ]);
  }
  if (keyword === 'required') {
    return error.params.requiredProperties.map((key) => [path, `${name} lacks "${key}"`]);
  }
  if (keyword === 'enum') {
    return [[path, `${name} must be one of ${error.params.allowedValues.join(', ')}`]];
  }
  if (keyword === 'anyOf') return [[path, `${name} must be a text, or have in, not-in or exists`]];
  // Each form that a label's demand does not have complains by itself; anyOf says it once.
  return error.schemaPath.includes('/anyOf/') ? [] : [[path, `${name} ${error.message}`]];
}

/** RFC 6901 */
function pathOf(pointer: string): Path {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}
