import test from 'ava';
import { loadConfig, settingsOf } from '../../../src/daemon/index.js';

test('flags > no flag changes nothing', (t) => {
  const bare = { hostName: 'h1', environment: {} };
  t.deepEqual(loadConfig({ ...bare, flags: settingsOf({}) }), loadConfig({ ...bare, flags: {} }));
});

test('flags > each flag is one setting', (t) => {
  const flags = settingsOf({
    store: 'consul',
    consulAddress: 'http://192.0.2.1:8500',
    underlay: '192.0.2.0/24',
    mtu: 1400,
    port: 4790,
    stateDir: '/a',
    runDir: '/b',
    pluginSocket: '/c',
    dockerSocket: '/d',
    logLevel: 'debug',
    logFormat: 'json',
  });
  const { hostName: _name, ...config } = loadConfig({ hostName: 'h1', environment: {}, flags });
  t.like(config, {
    store: { kind: 'consul', address: 'http://192.0.2.1:8500' },
    underlay: { select: '192.0.2.0/24', mtu: 1400, port: 4790 },
    stateDir: '/a',
    runDir: '/b',
    pluginSocket: '/c',
    dockerSocket: '/d',
    log: { level: 'debug', format: 'json' },
  });
});
