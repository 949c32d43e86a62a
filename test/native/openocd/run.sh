#!/usr/bin/env bash
# Stock OpenOCD 0.12 against the virtual probe over its TCP backend. VERBOSE=1 shows what OpenOCD says.
set -euo pipefail
cd "$(dirname "$0")/../../.."
if ! command -v openocd >/dev/null; then
  echo "openocd is not installed"
  exit 1
fi
exec node --import=tsx test/native/openocd/run.ts
