#!/usr/bin/env bash
# `npm run test:stub`: what docs/stub.md says of the shipped stub, measured (options: run.ts). Needs arm-none-eabi-gcc,
# qemu-system-arm, gcc, make and valgrind; a missing one is a failure.
set -u
cd "$(dirname "$0")/../../.."
missing=0
for tool in arm-none-eabi-gcc arm-none-eabi-objdump qemu-system-arm gcc make valgrind node; do
  command -v "$tool" >/dev/null || { echo "missing: $tool"; missing=$((missing + 1)); }
done
if [ ! -e /usr/include/valgrind/memcheck.h ]; then echo 'missing: valgrind/memcheck.h'; missing=$((missing + 1)); fi
if [ "$missing" -gt 0 ]; then echo "stub: 0 passed, $missing failed"; exit 1; fi
exec node --import tsx test/interop/firmware-arm/run.ts "$@"
