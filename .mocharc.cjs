// `npx mocha` runs every test; `npx mocha FILE …` runs those files alone.
// tsx/esm, not tsx: the latter would load every file as CommonJS, where each call of an imported function costs a look-up.
const files = process.argv.slice(2).filter((argument) => argument.endsWith('.ts'));

module.exports = {
  import: ['tsx/esm', './test/fixtures/remembered.ts'],
  spec: files.length > 0 ? files : ['test/{unit,integration,scenario,repo}/**/*.test.ts'],
  timeout: 60000,
  reporter: 'dot',
};
