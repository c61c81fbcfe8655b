import type { Command } from 'commander';
import { ControlClient } from '../control-api/index.js';
import { type AskingOptions, askingCommand } from './asking.js';
import { again, filesOf } from './files.js';
import { type Io, paint } from './io.js';
import { printable } from './table.js';

interface TestOptions extends AskingOptions {
  readonly tests: string[];
  readonly file?: string[];
}

/** `weft policy test`: whether flows meet the fate that a file expects, before or after a change. */
export function testCommand(io: Io): Command {
  const description = 'whether flows between containers meet the fate that files expect';
  return askingCommand('test', description, 'weft policy test -t shop.test.yaml -f shop.yaml')
    .requiredOption('-t, --tests <path>', 'a file of expectations; again for another', again)
    .option(
      '-f, --file <path>',
      'a file of policies, as if it were applied; again for another',
      again,
    )
    .action(async ({ controlSocket, json, tests, file = [] }: TestOptions) => {
      const client = new ControlClient({ socketPath: controlSocket });
      const [expectations, policies] = [await filesOf(tests), await filesOf(file)];
      const { items } = await client.testPolicies({ tests: expectations, files: policies });
      const failed = items.filter(({ expected, verdict }) => expected !== verdict);
      if (json) io.out(`${JSON.stringify(items, null, 2)}\n`);
      for (const { source, line, flow, expected, verdict, why } of json ? [] : failed) {
        const is = verdict ?? 'no such flow';
        const words = `${source}:${line}: ${flow}: expected ${expected}, is ${is}: ${why}`;
        io.out(`${paint(io, 'red', printable(words))}\n`);
      }
      if (!json) io.out(`${items.length - failed.length} as expected, ${failed.length} not\n`);
      if (failed.length > 0)
        throw new Error(`${failed.length} of ${items.length} flows are not as expected`);
    });
}
