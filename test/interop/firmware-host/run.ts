// Runs the stub's cryptography against published vectors and other implementations: plain, under sanitizers, and as
// Cortex-M4 code in QEMU. Usage: npx tsx test/interop/firmware-host/run.ts [seed [scale]]. Needs make and gcc; the last
// also arm-none-eabi-gcc with newlib, and qemu-system-arm.

import { cornerSuites } from './corners.ts';
import { differentialSuites } from './differential.ts';
import { build, failures, HOSTS } from './host.ts';
import { vectorSuites } from './vectors.ts';

const SHOWN = 3;
const seed = Number(process.argv[2] ?? 427);
const scale = Number(process.argv[3] ?? 1);

const hosts = build();
const suites = [...vectorSuites(), ...cornerSuites(seed), ...differentialSuites(seed, scale)];
let passed = 0;
let failed = 0;
for (const host of hosts) {
  console.log(`${host} (seed ${seed})`);
  for (const suite of suites) {
    const bad = failures(host, suite);
    passed += suite.cases.length - bad.length;
    failed += bad.length;
    console.log(
      `  ${bad.length === 0 ? 'ok  ' : 'FAIL'} ${suite.name}: ${suite.cases.length - bad.length} of ${suite.cases.length}`,
    );
    for (const line of bad.slice(0, SHOWN)) console.log(`       ${line}`);
  }
}
for (const host of HOSTS.filter((h) => !hosts.includes(h))) {
  console.log(`${host}: skipped, its tools are not installed`);
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
