"""Runs a Cortex-M4 image on Unicorn: 4 MB of code at 0, 4 MB of RAM at 0x20000000, as on QEMU's mps2 board.

unicorn_judge.py dump IMAGE ADDRESS LENGTH          runs to the address in vector 7, prints LENGTH bytes from ADDRESS
unicorn_judge.py count IMAGE ADDRESS LENGTH COUNT   the same, and fails unless that takes exactly COUNT instructions
"""

import struct
import sys

from unicorn import UC_ARCH_ARM, UC_MODE_MCLASS, UC_MODE_THUMB, Uc
from unicorn.arm_const import UC_ARM_REG_PC, UC_ARM_REG_SP, UC_CPU_ARM_CORTEX_M4

MEMORY = 4 * 1024 * 1024
RAM = 0x20000000


def machine(image):
    uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
    uc.ctl_set_cpu_model(UC_CPU_ARM_CORTEX_M4)
    uc.mem_map(0, MEMORY)
    uc.mem_map(RAM, MEMORY)
    uc.mem_map(0xE000E000, 0x1000)
    uc.mem_write(0, image)
    uc.reg_write(UC_ARM_REG_SP, struct.unpack_from("<I", image, 0)[0])
    return uc


def main():
    mode, path, address, length = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    image = open(path, "rb").read()
    entry, finish = struct.unpack_from("<I", image, 4)[0] | 1, struct.unpack_from("<I", image, 28)[0] & ~1
    uc = machine(image)
    if mode == "count":
        count = int(sys.argv[5])
        early = machine(image)
        early.emu_start(entry, finish, count=count - 1)
        if early.reg_read(UC_ARM_REG_PC) == finish:
            sys.exit("the end came before %d instructions" % count)
        uc.emu_start(entry, 0xFFFFFFFE, count=count)
    else:
        uc.emu_start(entry, finish)
    if uc.reg_read(UC_ARM_REG_PC) != finish:
        sys.exit("stopped at 0x%x, not at 0x%x" % (uc.reg_read(UC_ARM_REG_PC), finish))
    sys.stdout.buffer.write(bytes(uc.mem_read(address, length)))


main()
