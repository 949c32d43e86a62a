#!/usr/bin/env bash
# `npm run test:interop`: OpenOCD, gdb, st-info, st-flash, st-util, pyOCD and npm `usb` on the virtual board, unmodified; QEMU and
# Unicorn in lock-step with its core. Prints a table client × operation. Installs nothing; a missing tool is a failure. VERBOSE=1 shows what
# the programs say. Arguments, if any, choose parts: openocd-dap openocd-hla openocd-faces openocd-parts gdb usb job serial cores noise.
set -euo pipefail
cd "$(dirname "$0")/../../.."
# Debian: openocd gdb-multiarch stlink-tools python3-pyocd umockdev libumockdev-dev gcc pkg-config make gcc-arm-none-eabi qemu-system-arm python3-unicorn
missing=0
for tool in openocd gdb-multiarch st-info st-flash st-util pyocd-tool umockdev-wrapper gcc pkg-config make arm-none-eabi-gcc qemu-system-arm; do
  command -v "$tool" >/dev/null || { echo "missing tool: $tool"; missing=$((missing + 1)); }
done
/usr/bin/python3 -c 'import unicorn' 2>/dev/null || { echo "missing: python3-unicorn"; missing=$((missing + 1)); }
pkg-config --exists umockdev-1.0 || { echo "missing: development files of umockdev"; missing=$((missing + 1)); }
if [ "$missing" -gt 0 ]; then
  echo "0 passed, $missing failed"
  exit 1
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
here=test/interop/clients
read -ra umockdev <<<"$(pkg-config --cflags --libs umockdev-1.0)"
gcc -std=gnu11 -O1 -Wall -Wextra -Werror "$here"/bridge/*.c "${umockdev[@]}" -o "$scratch/bridge"
make -s -C examples/bootloader BUILD="$scratch/example" "$scratch/example/bootloader.debug.elf"
export TMPDIR=$scratch
node --import=tsx "$here/run.ts" "$scratch/bridge" "$scratch/example/bootloader.debug.elf" "$@"
