#!/usr/bin/env bash
# The packed package, installed in an empty folder, knows every command and does the main job.
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
npm pack --silent --pack-destination "$work" >/dev/null
cd "$work"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund ./blindflash-*.tgz
for command in agent relay sim demo keygen invite plan flash verify info erase reset 'receipt verify' doctor; do
  # shellcheck disable=SC2086
  npx --no-install blindflash $command --help >/dev/null || { echo "no help for $command"; exit 1; }
done
npx --no-install blindflash demo >demo.log 2>&1 || { tail -40 demo.log; exit 1; }
echo 'packed package: every command answers, the demo ran'
