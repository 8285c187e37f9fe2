"""A page, and searches by what the library holds, must not wait for what embeds videos."""

import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY

SEARCHED = """
import sys
from pathlib import Path
from app.server import create_server
from app.session.services import Services
from indexer.retrieval.search import PartWeights

with Services(Path(sys.argv[1])) as services:
    create_server(services, users=None, strangers="editor", ancestors=None)
    handle = services.stored(services.videos(limit=1)[0].id)
    print(len(services.rank(handle, PartWeights()).hits), sorted({"torch", "faiss", "openvino"} & set(sys.modules)))
"""


def test_a_page_and_a_search_load_no_network(built: Path) -> None:
    child = [sys.executable, "-c", SEARCHED, str(built)]
    done = subprocess.run(child, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stdout == "12 []\n", done.stderr
