"""The command `qcskit` in forks of one process that has its modules loaded already: their start is paid once.

Each line of stdin is a JSON object with argv, cwd, stdout and stderr, two files; each answer the exit status as
subprocess tells it. No TensorFlow here: it does not live through a fork.
"""

import gc
import json
import os
import runpy
import sys
from importlib import import_module

MODULES = (
    "numba",
    "scipy.fft",
    "scipy.optimize",
    "scipy.signal",
    "scipy.stats",
    "rich.progress",
    "rich.traceback",
    "elftools.elf.elffile",
    "qcskit.codec.classical",
    "qcskit.codec.coded",
    "qcskit.firmware_sim.run",
    "qcskit.hil.fleet",
    "qcskit.cli.simulate",
)


def serve() -> None:
    """Answer until stdin ends. Returns in a fork, which then runs the command."""
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            become(order)
            return
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    sys.exit()


def become(order: dict) -> None:
    """Take the order's files, folder and arguments: what a process of its own would have been started with."""
    os.chdir(order["cwd"])
    sys.argv[1:] = order["argv"]
    for number, name in enumerate((os.devnull, order["stdout"], order["stderr"])):
        file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, number)
        os.close(file)


if __name__ == "__main__":
    for module in MODULES:
        import_module(module)
    gc.freeze()  # a collection in a fork would copy every page
    serve()
    runpy.run_module("qcskit.cli", run_name="__main__", alter_sys=True)
