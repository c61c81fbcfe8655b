/** Who may talk to whom, on three hosts, by real packets of real containers. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { type Host, waitFor } from '../../lab/index.js';
import { leaveClean, onHosts, sharedLab } from '../helpers/lab.js';
import { type Probe, policyCases } from '../helpers/policy-cases.js';
import { removePolicies, startParties, stopAgents, wrong } from '../helpers/policy-parties.js';
import { tempDir } from '../helpers/temp-dir.js';
import { createNetwork, nothingLeft, startDaemons } from '../helpers/weft-lab.js';

const lab = await sharedLab();
const three = onHosts(lab, 3);

test.before(async () => startDaemons(lab));
test.afterEach.always(async (t) => {
  await removePolicies(lab.host(0));
  await leaveClean(lab, t);
});
test.after.always(async () => nothingLeft(lab));

three('the truth table: every pair and port on three hosts, case after case', async (t) => {
  t.timeout(600_000);
  await using dir = await tempDir();
  const [first] = lab.hosts as [Host];
  await createNetwork(lab.hosts, 'web', '--subnet', '10.83.0.0/16');
  const agents = await startParties(lab);
  try {
    const file = join(dir.path, 'policies.yaml');
    const rows: string[] = [];
    const check = async (title: string, passes: (probe: Probe) => boolean): Promise<void> => {
      const result = await wrong(agents, passes);
      rows.push(`${String(result.passed).padStart(4)} of ${result.asked} pass  ${title}`);
      t.deepEqual(result.wrong, [], title);
    };
    await check('no policy', () => true);
    for (const { title, text, passes } of policyCases) {
      const documents = text.split('---\n').map((each) => `networks: [web]\n${each}`);
      await writeFile(file, documents.join('---\n'));
      await first.weft('policy', 'apply', '-f', file, '--wait');
      await check(title, passes);
      await removePolicies(first);
    }
    await check('no policy any more', () => true);
    t.log(rows.join('\n'));
  } finally {
    await stopAgents(agents);
  }
});

three(
  'an isolated network: nothing passes until a policy allows it, also to those that come later',
  async (t) => {
    await using dir = await tempDir();
    const [first, , third] = lab.hosts as [Host, Host, Host];
    await createNetwork(lab.hosts, 'web', '--subnet', '10.83.0.0/16', '-o', 'policy=isolated');
    const agents = await startParties(lab);
    try {
      t.deepEqual((await wrong(agents, () => false)).wrong, []);
      const file = join(dir.path, 'open.yaml');
      await writeFile(
        file,
        'name: web\nnetworks: [web]\nendpoints: { project: x }\ningress: [{ action: allow, ports: [tcp/80] }]\n---\n' +
          'name: out\nnetworks: [web]\nendpoints: {}\negress: [{ action: allow }]\n',
      );
      t.regex(await third.weft('policy', 'apply', '-f', file, '--wait'), /2 added \(web, out\)/);
      const { wrong: others } = await wrong(
        agents,
        ({ to, port, protocol }) => to.project === 'x' && port === 80 && protocol === 'tcp',
      );
      t.deepEqual(others, []);
      const words = await first.weft('policy', 'explain', 'y-a', 'x-a:81');
      t.regex(words, /^denied: y-a .* to x-a .*, tcp\/81, on web$/m);
      t.regex(words, /sender's side: +allow, rule 1 of policy "out", .*open\.yaml:\d+$/m);
      t.regex(words, /receiver's side: +deny, no rule allows it in "web"$/m);
    } finally {
      await stopAgents(agents);
    }
  },
);

three(
  'the kernel keeps the policy while weftd is dead, and gets it back when somebody flushes it',
  async (t) => {
    await using dir = await tempDir();
    const [first, second] = lab.hosts as [Host, Host];
    await createNetwork(lab.hosts, 'web', '--subnet', '10.83.0.0/16');
    const agents = await startParties(lab);
    try {
      const file = join(dir.path, 'closed.yaml');
      await writeFile(
        file,
        'name: closed\nnetworks: [web]\nendpoints: { project: x }\ningress: []\n',
      );
      await second.weft('policy', 'apply', '-f', file, '--wait');
      const isEnforced = async (): Promise<boolean> =>
        (await wrong(agents, ({ to }) => to.project !== 'x')).wrong.length === 0;
      t.true(await isEnforced());
      await first.daemon.kill();
      t.true(await isEnforced(), 'with weftd dead');
      await first.daemon.start();
      t.true(await isEnforced(), 'with weftd back');
      const [netns = ''] = (await first.execOk(['sh', '-c', 'ls /run/netns | grep ^weft-'])).split(
        '\n',
      );
      const table = ['ip', 'netns', 'exec', netns, 'nft', 'list', 'table', 'inet', 'weft-policy'];
      t.regex(await first.execOk(table), /chain to-closed/);
      await first.execOk(['ip', 'netns', 'exec', netns, 'nft', 'flush', 'ruleset']);
      const began = performance.now();
      await waitFor('the table to be back', async () => (await first.exec(table)).code === 0);
      t.log(`back after ${Math.round(performance.now() - began)} ms`);
      t.true(performance.now() - began < 2000);
      t.true(await isEnforced(), 'after the flush');
    } finally {
      await stopAgents(agents);
    }
  },
);
