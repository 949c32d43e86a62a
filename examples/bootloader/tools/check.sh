#!/bin/sh
# Rebuilds the images in a fresh directory and compares them with prebuilt/ byte for byte.
# Usage (from the example's directory): tools/check.sh <product>...
set -eu

expected=12.2.1
found=$("${CROSS:-arm-none-eabi-}gcc" -dumpfullversion)
[ "$found" = "$expected" ] || echo "note: prebuilt/ was made with GCC $expected, this is $found; differences are likely"

here=$(pwd)
(cd prebuilt && sha256sum --quiet -c SHA256SUMS)

elsewhere=$(mktemp -d)
trap 'rm -rf "$elsewhere"' EXIT
cp -R Makefile combined.S combined.ld behind-loader.ld common bootloader application tools "$elsewhere"
make -C "$elsewhere" --no-print-directory -s all

for product in "$@"; do
  cmp "$here/prebuilt/$product" "$elsewhere/build/$product"
  echo "same: $product"
done
