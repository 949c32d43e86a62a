"""A program on a pseudo-terminal of its own: on_pty.py PROGRAM ARGUMENT...

What arrives on standard input is typed; what the program shows goes to standard output, byte for byte. Ends with the
program's exit status. What the program left unread is told on standard error, as the shell it was called from would get it.
"""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import tty

COLUMNS, ROWS = 120, 40


def main() -> int:
    master, terminal = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    aside = os.dup(sys.stderr.fileno())
    shell = os.fork()
    if shell == 0:
        os.close(master)
        os.login_tty(terminal)
        os._exit(be_the_shell(aside))
    os.close(terminal)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(shell, signal.SIGTERM))
    carry(master)
    return os.waitstatus_to_exitcode(os.waitpid(shell, 0)[1]) & 0xFF


def be_the_shell(aside: int) -> int:
    """Starts the program in the foreground, waits for it, and then reads as a shell's line editor does: in raw mode."""
    program = os.fork()
    if program == 0:
        os.close(aside)
        os.execvp(sys.argv[1], sys.argv[1:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(program, signal.SIGTERM))
    status = os.waitstatus_to_exitcode(os.waitpid(program, 0)[1]) & 0xFF
    tty.setraw(0, termios.TCSANOW)
    readable, _, _ = select.select([0], [], [], 0)
    os.write(aside, b"left:" + (os.read(0, 65536) if readable else b"") + b"\n")
    return status


def carry(master: int) -> None:
    """Carries bytes both ways until nobody holds the terminal any more."""
    sources = [master, sys.stdin.fileno()]
    while True:
        readable, _, _ = select.select(sources, [], [])
        if master in readable:
            try:
                shown = os.read(master, 65536)
            except OSError:
                return
            sys.stdout.buffer.write(shown)
            sys.stdout.buffer.flush()
        if sys.stdin.fileno() in readable:
            typed = os.read(sys.stdin.fileno(), 4096)
            if typed:
                os.write(master, typed)
            else:
                sources.remove(sys.stdin.fileno())


sys.exit(main())
