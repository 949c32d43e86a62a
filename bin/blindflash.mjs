#!/usr/bin/env node
// Says what is missing before anything is loaded that an older Node cannot read.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major > 20 || (major === 20 && minor >= 19)) {
  import('../dist/cli/main.js');
} else {
  console.error(
    `Blindflash needs Node.js 20.19 or newer; this is ${process.versions.node}. ` +
      'Get the one called LTS from https://nodejs.org, open a new terminal, and try again.',
  );
  process.exitCode = 2;
}
