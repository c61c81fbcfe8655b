import { Command } from 'commander';
import {
  type AppliedPolicies,
  ControlClient,
  type EnforcedPolicies,
  type PolicySummary,
} from '../control-api/index.js';
import { type AskingOptions, asking, askingCommand } from './asking.js';
import { explainCommand } from './explain.js';
import { connectionsText, flowsText } from './dry-run.js';
import { again, filesOf } from './files.js';
import type { Io } from './io.js';
import { logCommand } from './policy-log.js';
import { testCommand } from './policy-test.js';
import { lineDifference } from './line-difference.js';
import { printable, table } from './table.js';

/** Every live host enforces a policy within a moment; one that does not for so long does not answer. */
const WAIT_MS = 30_000;

/** `weft policy`. */
export function policyCommand(io: Io): Command {
  return new Command('policy')
    .description('who may talk to whom; docs/policy.md has the files')
    .addCommand(applyCommand(io))
    .addCommand(diffCommand(io))
    .addCommand(
      asking(io, 'ls', 'policies of the cluster', {
        example: 'weft policy ls',
        ask: async (client) => client.policies(),
        show: policyTable,
        json: (policies) => policies.map(({ text: _, ...rest }) => rest),
        isShared: true,
      }),
    )
    .addCommand(showCommand(io))
    .addCommand(removeCommand(io))
    .addCommand(statusCommand(io))
    .addCommand(testCommand(io))
    .addCommand(logCommand(io))
    .addCommand(explainCommand(io));
}

interface FilesOptions extends AskingOptions {
  readonly file: string[];
}

function filesCommand(name: string, description: string, example: string): Command {
  return askingCommand(name, description, example).requiredOption(
    '-f, --file <path>',
    'a file of policies, YAML or JSON; - is standard input; again for another',
    again,
  );
}

function applyCommand(io: Io): Command {
  const description = 'add the policies of files, and replace those of the same name';
  return filesCommand('apply', description, 'weft policy apply -f web.yaml --wait')
    .option('--wait', 'until every live host enforces them')
    .option(
      '--dry-run',
      'change nothing; say which flows would change and which connections would end',
    )
    .action(
      async (options: FilesOptions & { readonly wait?: boolean; readonly dryRun?: boolean }) => {
        const { controlSocket, json, wait, dryRun = false } = options;
        const client = new ControlClient({ socketPath: controlSocket });
        const applied = await client.applyPolicies({ files: await filesOf(options.file), dryRun });
        const enforced = wait && !dryRun ? await waited(client, applied.version) : undefined;
        if (json)
          io.out(`${JSON.stringify({ ...applied, ...(enforced && { enforced }) }, null, 2)}\n`);
        else {
          io.out(appliedText(applied, dryRun));
          if (enforced) io.out(enforcedText(enforced));
        }
      },
    );
}

function diffCommand(io: Io): Command {
  const description = 'what apply would change in the policies, line by line';
  return filesCommand('diff', description, 'weft policy diff -f web.yaml').action(
    async (options: FilesOptions) => {
      const client = new ControlClient({ socketPath: options.controlSocket });
      const files = await filesOf(options.file);
      const applied = await client.applyPolicies({ files, dryRun: true });
      const { added, changed, unchanged, texts = {} } = applied;
      if (options.json) {
        io.out(`${JSON.stringify({ added, changed, unchanged }, null, 2)}\n`);
        return;
      }
      const there = new Map((await client.policies()).map((policy) => [policy.id, policy]));
      for (const name of [...added, ...changed]) {
        const source = there.get(name)?.source;
        io.out(`policy ${name}${source === undefined ? ', new' : `, from ${printable(source)}`}\n`);
        const lines = lineDifference(there.get(name)?.text ?? '', texts[name] ?? '');
        for (const line of lines) io.out(`  ${printable(line)}\n`);
      }
      if (added.length + changed.length === 0) io.out('nothing would change\n');
    },
  );
}

function showCommand(io: Io): Command {
  return askingCommand('show', 'a policy as its author wrote it', 'weft policy show web')
    .argument('<name>', 'its name, as weft policy ls shows it')
    .action(async (name: string, { controlSocket, json }: AskingOptions) => {
      const client = new ControlClient({ socketPath: controlSocket });
      const found = (await client.policies()).find(({ id }) => id === name);
      if (!found)
        throw new Error(
          `the cluster has no policy "${name}"; "weft policy ls" shows those that it has`,
        );
      if (json) io.out(`${JSON.stringify(found, null, 2)}\n`);
      else {
        const lines = found.text.split('\n').map(printable);
        io.out(`# ${printable(found.source)}, line ${found.line}\n${lines.join('\n').trimEnd()}\n`);
      }
    });
}

function removeCommand(io: Io): Command {
  return askingCommand('rm', 'remove a policy from the cluster', 'weft policy rm web --wait')
    .argument('<name>', 'its name, as weft policy ls shows it')
    .option('--wait', 'until no live host enforces it any more')
    .action(async (name: string, options: AskingOptions & { readonly wait?: boolean }) => {
      const client = new ControlClient({ socketPath: options.controlSocket });
      const version = await client.removePolicy(name);
      const enforced = options.wait ? await waited(client, version) : undefined;
      if (options.json) io.out(`${JSON.stringify({ removed: name, version })}\n`);
      else io.out(`${name} removed, version ${version}\n${enforced ? enforcedText(enforced) : ''}`);
    });
}

function statusCommand(io: Io): Command {
  return asking(io, 'status', 'which hosts enforce the newest version of the policies', {
    example: 'weft policy status',
    ask: async (client) => client.enforcedPolicies(),
    show: (enforced) =>
      `version ${enforced.version}\n` +
      table(
        [
          { title: 'HOST', value: ({ name }) => name },
          { title: 'ENFORCES', value: ({ version }) => (version === null ? '-' : String(version)) },
        ],
        enforced.hosts.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
      ),
  });
}

/** Throws, naming them, when some hosts do not in time. */
async function waited(client: ControlClient, version: number): Promise<EnforcedPolicies> {
  const endsAt = performance.now() + WAIT_MS;
  for (;;) {
    const waitMs = Math.max(0, Math.min(10_000, Math.round(endsAt - performance.now())));
    const enforced = await client.enforcedPolicies({ version, waitMs });
    if (enforced.isEnforced) return enforced;
    if (waitMs > 0) continue;
    const late = enforced.hosts.filter((host) => (host.version ?? -1) < version);
    throw new Error(
      `version ${version} is in the store, and these hosts do not enforce it after ${WAIT_MS / 1000} s: ` +
        `${late.map(({ name }) => printable(name)).join(', ')}; see "weft status" there`,
    );
  }
}

function policyTable(policies: readonly PolicySummary[]): string {
  if (policies.length === 0) {
    return 'No policies: all containers of a network reach each other. docs/policy.md says how to write some.\n';
  }
  return table(
    [
      { title: 'NAME', value: ({ id }) => id },
      { title: 'NETWORKS', value: ({ networks }) => networks.join(', ') },
      { title: 'TIER', value: ({ tier }) => tier },
      { title: 'INGRESS', value: ({ ingress }) => (ingress === undefined ? '-' : String(ingress)) },
      { title: 'EGRESS', value: ({ egress }) => (egress === undefined ? '-' : String(egress)) },
      { title: 'FROM', value: ({ source, line }) => `${source}:${line}` },
      { title: 'COMMENT', value: ({ comment = '' }) => comment },
    ],
    policies,
  );
}

function appliedText(applied: AppliedPolicies, dryRun: boolean): string {
  const { version, added, changed, unchanged, unknownNetworks } = applied;
  const parts = [
    ...(added.length > 0 ? [`${added.length} added (${added.join(', ')})`] : []),
    ...(changed.length > 0 ? [`${changed.length} changed (${changed.join(', ')})`] : []),
    ...(unchanged.length > 0 ? [`${unchanged.length} unchanged`] : []),
  ];
  const missing =
    unknownNetworks.length > 0
      ? `No network is called ${unknownNetworks.join(', ')}, yet: it is judged by them once it is there.\n`
      : '';
  const what = `${dryRun ? 'Would be: ' : ''}${parts.join(', ') || 'nothing to do'}`;
  if (!dryRun) return `${what}; version ${version}\n${missing}`;
  return `${what}\n${missing}${flowsText(applied)}${connectionsText(applied)}`;
}

function enforcedText({ hosts }: EnforcedPolicies): string {
  return `enforced on ${hosts.length === 1 ? 'one host' : `${hosts.length} hosts`}\n`;
}
