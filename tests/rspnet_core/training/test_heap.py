"""What a step frees stays with the process, for the next step."""

import subprocess
import sys

import pytest

_FREED_AND_MEASURED = """
from pathlib import Path
from rspnet_core.training.heap import keep_freed_memory

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
