import type { PolicyFile } from '../../src/control-api/index.js';
import { networkName } from '../cluster/clustered.js';

const RULES_A_POLICY = 200;

/** So many rules in all, in files of policies. All containers of real hosts reach each other, by the first rule; the others are about the crowd. */
export function filesOf(rules: number): PolicyFile[] {
  const count = Math.ceil(rules / RULES_A_POLICY);
  return Array.from({ length: count }, (_, i) => {
    const own = Math.min(RULES_A_POLICY, rules - i * RULES_A_POLICY);
    const lines = Array.from({ length: own }, (__, j) => ruleOf(i, j));
    const text = [
      `name: p${i}`,
      `networks: [${networkName}]`,
      // One in four is about the containers that are measured as well.
      i % 4 === 0 ? 'endpoints: {}' : `endpoints: { labels: { group: g${i} } }`,
      'ingress:',
      ...lines,
    ].join('\n');
    return { source: `p${i}.yaml`, text: `${text}\n` };
  });
}

function ruleOf(policy: number, at: number): string {
  if (policy === 0 && at === 0) return '  - { action: allow, from: [{ names: [bench] }] }';
  const group = (policy * 31 + at * 3) % 500;
  const port = 1000 + ((policy * 7 + at) % 100);
  return `  - { action: allow, from: [{ labels: { group: g${group} } }], ports: [tcp/${port}] }`;
}
