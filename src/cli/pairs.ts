import { InvalidArgumentError } from 'commander';

type Pairs = Readonly<Record<string, string>>;

/** Reads "key=value" of a flag that may be given again. A value may be empty; with `bare` it may be left out, as Docker's labels. */
export function pair({ bare = false } = {}): (text: string, before?: Pairs) => Pairs {
  return (text, before = {}) => {
    const [, key, value] = /^([^=]+)(?:=(.*))?$/s.exec(text) ?? [];
    if (key === undefined || (value === undefined && !bare)) {
      throw new InvalidArgumentError('It is KEY=VALUE.');
    }
    if (Object.hasOwn(before, key)) throw new InvalidArgumentError(`${key} is given twice.`);
    return Object.fromEntries([...Object.entries(before), [key, value ?? '']]);
  };
}
