"""Commands in processes of their own that start at once: forked from one that has imported PyTorch and what builds."""

import importlib
import multiprocessing
import os
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests import tiny

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(["indexer.cli.main", "indexer.ingest.build", "tests.tiny"])


def start(program: str, *arguments: object, stderr: str | Path = os.devnull) -> BaseProcess:
    """Run the command whose ``main`` is in the module ``program``; it knows the tests' encoder, and prints nothing."""
    process = _FORKING.Process(target=_run, args=(program, [str(each) for each in arguments], str(stderr)))
    process.start()
    return process


def _run(program: str, arguments: list[str], stderr: str) -> None:
    for name, descriptor in ((os.devnull, 1), (stderr, 2)):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    tiny.register()
    sys.argv = [program, *arguments]
    importlib.import_module(program).main()
