"""The site as `make docs` built it, in a headless browser: every page opens, the search answers, nothing is asked of a
network."""

import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from browser import chromium, requested

SITE = Path(__file__).parents[1] / "docs" / "_build" / "html"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (SITE / "index.html").exists(), reason="there is no site: run make docs"),
]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def address():
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(SITE)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def test_every_page_opens_and_the_search_answers(address, tmp_path):
    pages = sorted(str(path.relative_to(SITE)) for path in SITE.rglob("*.html") if "_static" not in path.parts)
    assert len(pages) > 40
    with chromium(tmp_path / "profile") as browser:
        for name in pages:
            browser.get(address + name)
            assert browser.title, name
            if not name.startswith("example"):  # Bokeh's
                assert browser.execute_script("return document.querySelectorAll('h1').length"), name
            wrong = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
            assert wrong == [], name
        browser.get(address + "search.html?q=Erokhin")
        end = time.monotonic() + 10
        while not browser.execute_script("return document.querySelectorAll('#search-results li a').length"):
            assert time.monotonic() < end, "the search found nothing"
            time.sleep(0.1)
        asked = [url for url in requested(browser) if url.startswith(("http", "ws"))]
        assert [url for url in asked if not url.startswith(address)] == []
