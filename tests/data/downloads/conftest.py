"""A web server of one file that misbehaves as it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Site:
    """What the server does.

    Attributes:
        files: content by path.
        breaks: per request to come, after how many bytes it closes the connection; None for not at all.
        ranges: whether it knows ranges.
        etag: what it calls the file; None for nothing.
        length: whether it tells the size.
        status: per request to come, an error instead of the file; 0 for none.
        asked: the Range of every request, "" for none.
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    breaks: list[int | None] = field(default_factory=list)
    ranges: bool = True
    etag: str | None = '"one"'
    length: bool = True
    status: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def site() -> Iterator[Site]:
    """The server, running."""
    found = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range", "")
            found.asked.append(wanted)
            content = found.files.get(self.path)
            error = found.status.pop(0) if found.status else 0
            if content is None or error:
                self.send_error(error or 404)
                return
            start, total = 0, len(content)
            if found.ranges and wanted and self.headers.get("If-Range", found.etag) == found.etag:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
                if start >= total:
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{total}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            if found.etag:
                self.send_header("ETag", found.etag)
            if found.length:
                self.send_header("Content-Length", str(total - start))
            self.end_headers()
            limit = found.breaks.pop(0) if found.breaks else None
            self.wfile.write(content[start:] if limit is None else content[start : start + limit])
            self.close_connection = True

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()
