"""An emulated customer's chip: its flash, and what it keeps in RAM while it has power.

A Chip keeps both in a folder when it is given one, so that an agent can be killed and started again
beside the same "board". Without a folder both live in memory.
"""

import json
import mmap
import os

import plan as plans
from crypto import random


class Chip:
    def __init__(self, folder=None, dev_id=0x419, rev_id=0x2003, flash_kib=2048, uid=None,
                 millivolts=3300):
        self.folder = folder
        self.dev_id, self.rev_id, self.flash_kib = dev_id, rev_id, flash_kib
        self.millivolts = millivolts
        size = flash_kib * 1024
        kept = {}
        if folder is None:
            self.flash = bytearray(b"\xff" * size)
        else:
            os.makedirs(folder, exist_ok=True)
            path = os.path.join(folder, "flash.bin")
            if not os.path.exists(path) or os.path.getsize(path) != size:
                with open(path, "wb") as file:
                    file.write(b"\xff" * size)
            self._file = open(path, "r+b")
            self.flash = mmap.mmap(self._file.fileno(), size)
            kept = self._load("chip.json") or {}
        self.uid = bytes.fromhex(kept["uid"]) if "uid" in kept else (uid or random(12))
        self.optcr = kept.get("optcr", 0x0FFFAAED)
        self.optcr1 = kept.get("optcr1", 0x0FFF0000)
        self.keep()

    def _load(self, name):
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):
            return None
        with open(path) as file:
            return json.load(file)

    def _store(self, name, value) -> None:
        if self.folder is None:
            return
        path = os.path.join(self.folder, name)
        with open(path + ".new", "w") as file:
            json.dump(value, file)
        os.replace(path + ".new", path)

    def keep(self) -> None:
        self._store("chip.json", {"uid": self.uid.hex(), "optcr": self.optcr,
                                  "optcr1": self.optcr1})

    @property
    def rdp(self) -> int:
        return {0xAA: 0, 0xCC: 2}.get(self.optcr >> 8 & 0xFF, 1)

    def read(self, address: int, length: int) -> bytes:
        at = address - plans.FLASH_BASE
        return bytes(self.flash[at : at + length])

    def program(self, address: int, data: bytes) -> int:
        """Programs the words that are not FFFFFFFF; a bit once 0 stays 0. Gives their number."""
        at = address - plans.FLASH_BASE
        words = 0
        for n in range(0, len(data), 4):
            word = data[n : n + 4]
            if word == b"\xff\xff\xff\xff":
                continue
            old = self.flash[at + n : at + n + 4]
            self.flash[at + n : at + n + 4] = bytes(a & b for a, b in zip(old, word))
            words += 1
        return words

    def erase(self, sector: int) -> None:
        start, size = plans.sectors(self.flash_kib)[sector]
        at = start - plans.FLASH_BASE
        self.flash[at : at + size] = b"\xff" * size
