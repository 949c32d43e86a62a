"""A serial port as an asyncio program has it: a device by its name, or the far end of a new pty."""

import asyncio
import errno
import os
import pty
import termios
import tty


class Port:
    """Bytes out by write(), in by on_bytes(); on_gone() once when the line is not there any more."""

    def __init__(self, descriptor: int):
        self.descriptor = descriptor
        self.on_bytes = lambda data: None
        self.on_gone = lambda: None
        self.waiting = bytearray()
        self.loop = asyncio.get_running_loop()
        os.set_blocking(descriptor, False)
        self.loop.add_reader(descriptor, self._read)

    @classmethod
    def open(cls, path: str, rate: int):
        """Opens a device, raw. OSError when there is none."""
        descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(descriptor)
        port = cls(descriptor)
        port.set_rate(rate)
        return port

    @classmethod
    def offer(cls):
        """(port, name): a new pseudo-terminal, whose other end is opened by its name."""
        master, slave = pty.openpty()
        tty.setraw(slave)
        port = cls(master)
        port.slave = slave  # kept open, so that nobody's close ends the line
        return port, os.ttyname(slave)

    def set_rate(self, rate: int) -> None:
        modes = termios.tcgetattr(self.descriptor)
        modes[4] = modes[5] = getattr(termios, f"B{rate}")
        termios.tcsetattr(self.descriptor, termios.TCSANOW, modes)

    def write(self, data: bytes) -> None:
        self.waiting += data
        self._flush()

    async def drained(self) -> None:
        """Everything written has left this program."""
        while self.waiting and self.descriptor >= 0:
            await asyncio.sleep(0.002)

    def close(self) -> None:
        if self.descriptor < 0:
            return
        self.loop.remove_reader(self.descriptor)
        self.loop.remove_writer(self.descriptor)
        os.close(self.descriptor)
        self.descriptor = -1

    def _read(self) -> None:
        try:
            data = os.read(self.descriptor, 65536)
        except BlockingIOError:
            return
        except OSError as problem:
            if problem.errno != errno.EIO:
                raise
            data = b""
        if data:
            self.on_bytes(data)
        else:
            self.close()
            self.on_gone()

    def _flush(self) -> None:
        if self.descriptor < 0:
            self.waiting.clear()
            return
        try:
            count = os.write(self.descriptor, self.waiting)
        except BlockingIOError:
            count = 0
        del self.waiting[:count]
        if self.waiting:
            self.loop.add_writer(self.descriptor, self._flush)
        else:
            self.loop.remove_writer(self.descriptor)
