"""The server of the page: what the browser may ask for, and who may ask."""

from __future__ import annotations

import base64
import binascii
import io
from importlib.resources import files
from typing import Any

import numpy as np
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from PIL import Image
from pydantic import BaseModel

from weakseg.data.reviews import Decision, Review
from weakseg.data.sample import BACKGROUND, IGNORE, Array
from weakseg.data.superpixels import superpixels
from weakseg.errors import WeaksegError
from weakseg.review.session import Session
from weakseg.review.store import StaleError

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob: data:; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
STATIC = {"": "text/html", "review.js": "text/javascript", "review.css": "text/css"}
LARGEST = 100_000_000
"""Bytes of a request."""


class Change(BaseModel):
    """What a window asks to be written.

    Attributes:
        id: of the photo.
        version: that the window has seen.
        decision: None takes the review back.
        tags: None leaves the photo's own.
        mask: of "corrected": a PNG in base64, values as on disk in its first channel.
    """

    id: str
    version: str
    decision: Decision | None = None
    tags: list[str] | None = None
    mask: str | None = None


def build_app(session: Session, port: int) -> FastAPI:
    """The application for a run.

    Args:
        session: the run.
        port: that it is going to be served on; requests to any other host or from any other origin get 403.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    @app.middleware("http")
    async def guard(request: Request, call: Any) -> Response:
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "none")
        foreign = origin is not None and origin not in {f"http://{host}" for host in hosts}
        foreign |= site not in ("none", "same-origin") and request.url.path != "/"
        if request.headers.get("host") not in hosts or foreign:
            return JSONResponse({"detail": "only the page itself may ask"}, 403)
        if request.method == "POST" and not 0 < int(request.headers.get("content-length") or 0) <= LARGEST:
            return JSONResponse({"detail": "too large"}, 413)
        response: Response = await call(request)
        response.headers.update(HEADERS)
        return response

    @app.exception_handler(WeaksegError)
    def wrong(request: Request, error: WeaksegError) -> JSONResponse:
        return JSONResponse({"detail": str(error)}, 409 if isinstance(error, StaleError) else 400)

    def known(name: str) -> str:
        if name not in session.photos:
            raise HTTPException(404, "no such photo in this run")
        return name

    @app.get("/api/run")
    def run() -> dict[str, Any]:
        return _about(session)

    @app.get("/api/photo")
    def photo(id: str) -> dict[str, Any]:
        return _state(session, known(id))

    @app.get("/api/image")
    def image(id: str) -> Response:
        return _png(session.photo(known(id)))

    @app.get("/api/mask")
    def mask(id: str, own: bool = False) -> Response:
        return _png(session.mask(known(id), own=own))

    @app.get("/api/superpixels")
    def pieces(id: str) -> Response:
        labels = superpixels(session.photo(known(id)))
        return _png(np.stack([labels & 255, labels >> 8, labels * 0], axis=-1).astype(np.uint8))

    @app.post("/api/review")
    def review(change: Change) -> dict[str, Any]:
        known(change.id)
        return _write(session, change)

    @app.get("/{name}")
    def static(name: str) -> Response:
        return _static(name)

    @app.get("/")
    def page() -> Response:
        return _static("")

    return app


def _static(name: str) -> Response:
    if name not in STATIC:
        raise HTTPException(404, "no such file")
    text = (files("weakseg.review") / "static" / (name or "review.html")).read_text(encoding="utf-8")
    return Response(text, media_type=STATIC[name])


def _about(session: Session) -> dict[str, Any]:
    classes, reviews = session.classes, session.store.read()
    entries = [{"name": "background", "value": BACKGROUND, "colour": [0, 0, 0]}]
    for name, value in zip(classes.names, classes.values, strict=True):
        entries.append({"name": name, "value": value, "colour": list(classes.palette[value])})
    photos = [
        {"id": name, "doubt": session.doubts[name], "decision": reviews[name].decision if name in reviews else None}
        for name in session.photos
    ]
    return {
        "run": session.run.absolute().name,
        "next": session.next_command,
        "classes": entries,
        "photos": photos,
    }


def _state(session: Session, name: str) -> dict[str, Any]:
    # The version first: a change that falls between the two makes the next write of this window stale, not lost.
    version, sample = session.store.version(name), session.sample(name)
    review = session.store.read().get(name)
    given = review.tags if review is not None else None
    return {
        "id": name,
        "version": version,
        "decision": review.decision if review else None,
        "own_tags": list(sample.tags),
        "tags": list(sample.tags if given is None else given),
    }


def _write(session: Session, change: Change) -> dict[str, Any]:
    sample, tags = session.sample(change.id), None if change.tags is None else tuple(change.tags)
    unknown = [tag for tag in tags or () if tag not in session.classes.names]
    if unknown:
        raise WeaksegError(f"{unknown[0]}: no class of this run")
    if change.decision == "tags" and tags is None:
        raise WeaksegError("changed tags are missing")
    if (change.mask is not None) != (change.decision == "corrected"):
        raise WeaksegError("a corrected photo has a mask and no other has one")
    mask = None if change.mask is None else _decoded(change.mask, sample.photo_size(), session)
    path = None if mask is None else session.store.mask_path(change.id)
    review = None if change.decision is None else Review(change.id, change.decision, tags, path)
    return {"version": session.store.write(change.id, change.version, review, mask)}


def _decoded(text: str, size: tuple[int, int], session: Session) -> Array:
    """A mask as the page sends it. Raises WeaksegError where it is no mask of this photo."""
    try:
        with Image.open(io.BytesIO(base64.b64decode(text, validate=True)), formats=["PNG"]) as image:
            if image.size != size[::-1]:  # before it is decoded: a small file may hold a huge picture
                raise WeaksegError(f"a mask of {image.width}x{image.height}, but the photo is {size[1]}x{size[0]}")
            values = np.array(image if image.mode == "L" else image.convert("RGB").getchannel(0))
    except (binascii.Error, OSError, SyntaxError, ValueError) as error:
        raise WeaksegError("the mask is no PNG") from error
    strange = set(np.unique(values).tolist()) - {BACKGROUND, IGNORE, *session.classes.values}
    if strange:
        raise WeaksegError(f"the mask holds the value {min(strange)}, which is of no class")
    return values


def _png(values: Array) -> Response:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "PNG", compress_level=1)
    return Response(file.getvalue(), media_type="image/png")
