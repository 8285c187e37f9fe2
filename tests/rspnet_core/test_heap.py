"""What a step frees stays with the process, for the next step; what a server frees does not."""

import subprocess
import sys

import pytest

_FREED_AND_MEASURED = """
from pathlib import Path
from rspnet_core.heap import keep_freed_memory

def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

if {keep}:
    keep_freed_memory()
before = resident_bytes()
block, above = bytearray(2**27), bytearray(2**20)  # the second keeps the first from being the end of the heap
del block
print(resident_bytes() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc")
def test_large_blocks_are_given_back_unless_memory_is_kept() -> None:
    left = {}
    for keep in (False, True):
        code = _FREED_AND_MEASURED.format(keep=keep)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        left[keep] = int(done.stdout)
    assert left[False] < 2**26 < left[True]


_MIXED_AND_MEASURED = """
import threading
from pathlib import Path
from rspnet_core.heap import give_back_freed_memory

def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

if {give_back}:
    give_back_freed_memory()
before = resident_bytes()
kept = []

def work():
    for number in range(10):
        blocks = [bytearray(2**20 * size) for size in (30, 3, 12, 7)]  # a first free of 30 MB raises glibc's limit
        kept.append(bytearray(2**16))
        del blocks

threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(resident_bytes() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc")
def test_a_server_gives_back_what_its_threads_freed() -> None:
    left = {}
    for give_back in (False, True):
        code = _MIXED_AND_MEASURED.format(give_back=give_back)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        left[give_back] = int(done.stdout)
    assert left[True] < 2**26 < left[False]
