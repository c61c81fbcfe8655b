// Long runs on real engines and Consul, whose length is in the environment; not in "npm test".
export default {
  files: ['dist/test/long/*.test.js'],
  workerThreads: false,
  concurrency: 1,
  serial: true,
  timeout: '1200s',
};
