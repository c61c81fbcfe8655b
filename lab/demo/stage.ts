import { styleText } from 'node:util';
import { messageOf } from '../../src/util/index.js';
import type { Machine } from '../machine.js';

export interface Check {
  readonly name: string;
  readonly ok: boolean;
}

type Style = 'bold' | 'cyan' | 'dim' | 'green' | 'red';

const commandTimeoutMs = 40_000;
const isColored = process.stdout.isTTY && process.env['NO_COLOR'] === undefined;

function paint(style: Style, text: string): string {
  return isColored ? styleText(style, text) : text;
}

/** Where the demo happens: it types commands on hosts, shows what they say, and notes what was checked. */
export class Stage {
  readonly checks: Check[] = [];
  #acts = 0;

  say(text: string): void {
    console.log(text);
  }

  /** Begins an act; what goes wrong in it is a failed check, and the next act goes on. */
  async act(title: string, play: () => Promise<void>): Promise<void> {
    this.#acts += 1;
    console.log(`\n${paint('bold', `${this.#acts}. ${title}`)}\n`);
    try {
      await play();
    } catch (error) {
      console.log(paint('red', `   ${messageOf(error)}`));
      this.check(`${title}: played to its end`, false);
    }
  }

  /** Types a command on a machine as its user would; shows it and what it says, and returns that. */
  async type(machine: Machine, command: string): Promise<string> {
    const { code, said } = await this.try(machine, command);
    if (code !== 0) throw new Error(`on ${machine.name} "${command}" ended with ${code}`);
    return said;
  }

  /** Like `type`, for a command that may fail. */
  async try(machine: Machine, command: string): Promise<{ code: number | null; said: string }> {
    console.log(`   ${paint('cyan', `${machine.name} #`)} ${command}`);
    const options = { timeoutMs: commandTimeoutMs };
    const result = await machine.exec(['sh', '-c', command], options);
    const said = `${result.stdout}${result.stderr}`.trimEnd();
    for (const line of said === '' ? [] : said.split('\n'))
      console.log(paint('dim', `      ${line}`));
    return { code: result.code, said };
  }

  check(name: string, ok: boolean): void {
    this.checks.push({ name, ok });
    console.log(ok ? `   ${paint('green', '✓')} ${name}` : `   ${paint('red', '✗')} ${name}`);
  }

  get ok(): boolean {
    return this.checks.length > 0 && this.checks.every((check) => check.ok);
  }
}
