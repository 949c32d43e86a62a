#!/usr/bin/env bash
# The packed package, installed in an empty folder, carries what the lock file pins, knows every command and does the main job.
set -eu
cd "$(dirname "$0")/../.."
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm pack --silent --pack-destination "$work" >/dev/null
cd "$work"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ./blindflash-*.tgz
node - "$root/package-lock.json" <<'CHECK' || exit 1
const { readFileSync } = require('node:fs');
const packagesOf = (path) => JSON.parse(readFileSync(path, 'utf8')).packages;
const [locked, shipped] = [process.argv[2], 'node_modules/blindflash/npm-shrinkwrap.json'].map(packagesOf);
const wanted = Object.entries(locked).filter(([path, { dev }]) => path !== '' && !dev);
const wrong = wanted.filter(([path, { integrity }]) => shipped[path]?.integrity !== integrity);
for (const [path, { version }] of wrong) console.error(`not pinned in the package: ${path} ${version}`);
process.exit(wrong.length === 0 ? 0 : 1);
CHECK
for command in agent relay sim demo keygen invite plan flash verify info erase reset 'receipt verify' 'devices list' doctor; do
  # shellcheck disable=SC2086
  npx --no-install blindflash $command --help >/dev/null || { echo "no help for $command"; exit 1; }
done
npx --no-install blindflash demo >demo.log 2>&1 || { tail -40 demo.log; exit 1; }
echo 'packed package: every command answers, the demo ran'
