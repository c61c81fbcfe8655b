// Kernel tests: real netlink in namespaces of their own; need root. One at a time: the rtnl lock is shared.
export default {
  files: ['dist/test/kernel/**/*.test.js'],
  workerThreads: false,
  concurrency: 1,
  serial: true,
  timeout: '120s',
};
