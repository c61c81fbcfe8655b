/** The programs that people find names with, each made to answer the same questions in the same words. */
import { join } from 'node:path';
import { type Host, projectDirectory } from '../../lab/index.js';

export type QuestionType = 'A' | 'AAAA' | 'PTR' | 'SRV';

export interface Question {
  readonly name: string;
  readonly type: QuestionType;
  /** Of a PTR, what `name` is the reverse of. */
  readonly address?: string;
}

export interface Tool {
  readonly name: string;
  /** It goes to one of the addresses, whichever. */
  readonly picksOne: boolean;
  readonly asks: (question: Question) => boolean;
  /**
   * The answers to each question: addresses, names without a dot at the end, "PRIORITY WEIGHT PORT NAME". A failure that is not
   * "there is none" is told as an answer too, in the tool's words.
   */
  readonly ask: (host: Host, container: string, all: readonly Question[]) => Promise<string[][]>;
}

/**
 * Flags of `docker run` for a container that has this machine's programs beside the image's: an image with all of them would make every
 * start of a lab longer. The image's own BusyBox stays in /bin.
 */
export const toolFlags: readonly string[] = [
  ...['/usr', '/lib', '/lib64', projectDirectory].map((path) => `${path}:${path}:ro`),
  `${process.execPath}:/node:ro`,
].flatMap((volume) => ['--volume', volume]);

const addresses: readonly QuestionType[] = ['A', 'AAAA'];
const all: readonly QuestionType[] = [...addresses, 'PTR', 'SRV'];
const separator = '== next ==';

export const tools: readonly Tool[] = [
  commandLine('getent', [...addresses, 'PTR'], getent, (line, { type }) => {
    const value = line.split(/\s+/)[type === 'PTR' ? 1 : 0] ?? '';
    // Where there is no IPv6 address it makes one of the other.
    return value.startsWith('::ffff:') ? undefined : value;
  }),
  commandLine("BusyBox's nslookup", all, nslookup('/bin/busybox'), fromNslookup),
  commandLine("BIND's nslookup", all, nslookup(), fromNslookup),
  commandLine(
    'dig',
    all,
    ({ name, type }) => ['dig', '+short', '+time=10', name, type],
    withoutDot,
  ),
  {
    ...commandLine('curl', addresses, curl, (line) => line || undefined),
    picksOne: true,
    asks: isAddress,
  },
  script("Node's dns.lookup", addresses, ['/node', compiled('dns-node.js'), 'lookup']),
  script("Node's dns.resolve", all, ['/node', compiled('dns-node.js'), 'resolve']),
  script('a JVM-like resolver', addresses, ['python3', source('dns-both.py')]),
];

/** A command for each question, all in one `docker exec`; each line that it writes is an answer, or none. */
function commandLine(
  name: string,
  types: readonly QuestionType[],
  argvOf: (question: Question) => readonly string[],
  read: (line: string, question: Question) => string | undefined,
): Tool {
  return {
    name,
    picksOne: false,
    asks: ({ type }) => types.includes(type),
    ask: async (host, container, questions) => {
      const commands = questions.map((question) => argvOf(question).map(quoted).join(' '));
      const text = commands.map((command) => `${command} 2>&1; echo '${separator}'`).join('\n');
      // That there is no answer is an error to many of them.
      const { stdout } = await host.exec(['docker', 'exec', container, 'sh', '-c', text]);
      const parts = stdout.split(`${separator}\n`);
      return questions.map((question, i) => {
        const found = (parts[i] ?? 'not asked').split('\n').filter(Boolean);
        return [...new Set(found.flatMap((line) => read(line, question) ?? []))];
      });
    },
  };
}

/** A program that is told `[name, type, address]` of all questions in JSON, and tells the answers of each. */
function script(name: string, types: readonly QuestionType[], argv: readonly string[]): Tool {
  return {
    name,
    picksOne: false,
    asks: ({ type }) => types.includes(type),
    ask: async (host, container, questions) => {
      const told = JSON.stringify(questions.map(({ name: asked, type }) => [asked, type]));
      const reply = await host.inContainer(container, [...argv, told], { timeoutMs: 120_000 });
      return JSON.parse(reply) as string[][];
    },
  };
}

function getent({ name, type, address }: Question): string[] {
  if (type === 'PTR') return ['getent', 'hosts', address ?? name];
  return ['getent', type === 'A' ? 'ahostsv4' : 'ahostsv6', name];
}

function nslookup(...before: readonly string[]): (question: Question) => string[] {
  return ({ name, type }) => [...before, 'nslookup', `-type=${type.toLowerCase()}`, name];
}

function curl({ name, type }: Question): string[] {
  const quiet = ['--silent', '--output', '/dev/null', '--max-time', '30'];
  const family = type === 'A' ? '-4' : '-6';
  return ['curl', family, ...quiet, '--write-out', '%{remote_ip}\\n', `http://${name}/`];
}

/** Of a container: hosts have no web server. */
function isAddress({ name, type }: Question): boolean {
  return addresses.includes(type) && !name.endsWith('.host.weft');
}

/** BusyBox and BIND write alike; the server's own address has a tab before it. */
function fromNslookup(line: string): string | undefined {
  const [, value] = /^(?:Address: |.*\tname = |.*\tservice = ) *(.+)$/.exec(line) ?? [];
  return value === undefined ? undefined : withoutDot(value);
}

function withoutDot(text: string): string {
  return text.replace(/\.$/, '');
}

function quoted(word: string): string {
  return `'${word}'`;
}

function compiled(file: string): string {
  return join(projectDirectory, 'dist/test/helpers', file);
}

function source(file: string): string {
  return join(projectDirectory, 'test/helpers', file);
}
