#!/usr/bin/env bash
# `npm run test:native`: the stub's rebuild, its C on the host, its timing, and the memory of real processes. Each part prints its
# own lines; the last line adds them up as "N passed, N failed". A missing tool is a failure.
set -u
cd "$(dirname "$0")/../.."
passed=0 failed=0
part() { # title, command…
  local title=$1 log; shift
  log=$(mktemp)
  echo "── $title"
  local status=0
  "$@" >"$log" 2>&1 || status=$?
  local line; line=$(grep -Eo '[0-9]+ passed, [0-9]+ failed' "$log" | tail -n 1)
  if [ -n "$line" ]; then
    passed=$((passed + ${line%% passed*})); local f=${line#*, }; f=${f%% failed*}
    failed=$((failed + f))
    if [ "$status" -ne 0 ] && [ "$f" -eq 0 ]; then failed=$((failed + 1)); fi
    if [ "$status" -ne 0 ] || [ "$f" -ne 0 ]; then tail -n 60 "$log"; else tail -n 12 "$log"; fi
  elif [ "$status" -eq 0 ]; then passed=$((passed + 1)); tail -n 3 "$log"
  else failed=$((failed + 1)); tail -n 60 "$log"; fi
  rm -f "$log"
}
for tool in arm-none-eabi-gcc gcc make; do
  part "tool: $tool" bash -c "command -v $tool"
done
part 'stub: the rebuild is byte-identical' make -s -C firmware check
part 'stub: generated headers match their sources' node --import=tsx scripts/gen-firmware-headers.ts --check
part 'example bootloader: the rebuild is byte-identical' make -s -C examples/bootloader check
part 'stub crypto on the host: vectors, differential, sanitizers' node --import=tsx test/interop/firmware-host/run.ts
part 'the crypto of the stub hides under its flash' node_modules/.bin/mocha --no-config --timeout 120000 --import=tsx test/interop/firmware-timing/hidden.test.ts
part 'no image in the memory of relay and agent' node --import=tsx test/interop/memory-scan/run.ts
echo "native: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
