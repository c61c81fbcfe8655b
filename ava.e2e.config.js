// End-to-end tests on the lab that "npm test -- --layer e2e" starts, once per engine; one test at a time.
export default {
  files: ['dist/test/e2e/*.test.js'],
  workerThreads: false,
  concurrency: 1,
  serial: true,
  timeout: '300s',
};
