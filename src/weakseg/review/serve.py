"""Serve the page on this machine until it is stopped."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path

from weakseg.errors import WeaksegError
from weakseg.review.session import What, open_session
from weakseg.training.progress import say


def serve(folder: Path, port: int, reviews: Path | None, what: What, data: str | None = None) -> None:
    """Serve a run for review on 127.0.0.1.

    Args:
        folder: the run.
        port: 0 takes a free one.
        reviews: the file to write, see `weakseg.review.session.open_session`.
        what: masks or predictions.
        data: where the photos are, if they have moved.

    Raises:
        WeaksegError: fastapi or uvicorn is missing, the port is taken, or the run cannot be reviewed.
    """
    try:
        import uvicorn

        from weakseg.review.server import build_app
    except ImportError as error:
        raise WeaksegError(f"review: needs {error.name}; install it with: pip install 'weakseg[review]'") from error
    session = open_session(folder, reviews, what, data)
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", port))
        except OSError as error:
            raise WeaksegError(f"--port {port}: cannot be used ({error.strerror}); take another, or 0") from error
        taken = listening.getsockname()[1]
        say(f"review {len(session.photos)} photos at http://127.0.0.1:{taken} (Ctrl-C ends it)", "bold")
        say(f"every decision is written at once to {session.store.file}")
        say(f"then learn from them: {session.next_command}")
        with suppress(KeyboardInterrupt):  # the way to end it
            uvicorn.Server(uvicorn.Config(build_app(session, taken), log_level="warning")).run([listening])
        say(f"ended; reviews: {session.store.file}")
