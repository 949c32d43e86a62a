"""What three readers nobody here wrote say of image files: intelhex, srec_cat and arm-none-eabi-objcopy.

Reads lines of `FORMAT FILE`, writes one JSON list: for each file what each reader says, null for one that refuses it.
A file is told as its bytes filled up with FF to whole words: first address, address behind the last, number of runs,
bytes, and SHA-256 over address 4, length 4 (little-endian) and bytes of each run.
"""
import hashlib
import json
import os
import subprocess
import sys
import tempfile

try:
    from intelhex import IntelHex
except ImportError:
    sys.path.append("/usr/lib/python3/dist-packages")
    from intelhex import IntelHex

ADDRESS_BYTES = {"1": 2, "2": 3, "3": 4}


def told(content):
    if not content:
        return None
    words = {address & ~3 for address in content}
    filled = sorted(word + at for word in words for at in range(4))
    runs = []
    for address in filled:
        if runs and runs[-1][0] + len(runs[-1][1]) == address:
            runs[-1][1].append(content.get(address, 0xFF))
        else:
            runs.append((address, bytearray([content.get(address, 0xFF)])))
    digest = hashlib.sha256()
    for address, data in runs:
        digest.update(address.to_bytes(4, "little") + len(data).to_bytes(4, "little") + data)
    return {"from": filled[0], "end": filled[-1] + 1, "runs": len(runs), "bytes": len(filled),
            "sha256": digest.hexdigest()}


def s_records(path):
    content = {}
    with open(path, encoding="latin1") as file:
        for line in file:
            line = line.strip()
            if line[:1] == "S" and line[1:2] in ADDRESS_BYTES:
                size = ADDRESS_BYTES[line[1]]
                raw = bytes.fromhex(line[2:])
                start = int.from_bytes(raw[1 : 1 + size], "big")
                content.update((start + at, byte) for at, byte in enumerate(raw[1 + size : -1]))
    return content


def by_intelhex(path):
    try:
        reader = IntelHex(path)
        return told({address: reader[address] for address in reader.addresses()})
    except Exception:  # each of its errors is a refusal
        return None


def by_program(command, output):
    done = subprocess.run(command, capture_output=True, check=False)
    return told(s_records(output)) if done.returncode == 0 else None


def readers(kind, path, output):
    target = {"hex": ["-I", "ihex"], "srec": ["-I", "srec"], "elf": []}[kind]
    said = {"objcopy": by_program(
        ["arm-none-eabi-objcopy", *target, "-O", "srec", "--srec-forceS3", path, output], output)}
    if kind != "elf":
        option = {"hex": "-intel", "srec": "-motorola"}[kind]
        said["srec_cat"] = by_program(
            ["srec_cat", path, option, "-o", output, "-motorola", "-address-length=4"], output)
    if kind == "hex":
        said["intelhex"] = by_intelhex(path)
    return said


with tempfile.TemporaryDirectory() as folder:
    OUTPUT = os.path.join(folder, "output.s37")
    print(json.dumps([readers(*line.rstrip("\n").split(" ", 1), OUTPUT) for line in sys.stdin]))
