"""Serves a review on the loopback address: the page, its pictures, and decisions."""

import json
import re
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

from wsss.errors import UserError
from wsss.report.review import Review
from wsss.report.templating import fill

LOOPBACK = "127.0.0.1"
#: bytes of a decision
LONGEST = 100_000


def serve(review: Review, port: int, *, title: str) -> ThreadingHTTPServer:
    """A server of the review, not yet running. port: 0 for any free one. Raises UserError if it is taken."""
    page = fill("review.html", {"title": title}).encode()
    try:
        return ThreadingHTTPServer((LOOPBACK, port), partial(_Handler, review, page, Lock()))
    except OSError as error:
        raise UserError(f"--port {port}: cannot be used ({error}); choose another one, or 0") from None


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, review: Review, page: bytes, lock: Lock, *arguments: object) -> None:
        self.review, self.page, self.lock = review, page, lock
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:  # the name is that of http.server
        """The page, the queue, and pictures by their place in it."""
        if self.path == "/":
            self._answered(lambda: (self.page, "text/html; charset=utf-8"))
        elif self.path == "/queue":
            self._answered(lambda: (json.dumps(self.review.queue()).encode(), "application/json"))
        elif found := re.fullmatch(r"/(photograph|overlay)/(\d+)", self.path):
            kind, place = found[1] == "overlay", int(found[2])
            self._answered(lambda: (self.review.picture(place, overlay=kind), "image/jpeg"))
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:  # the name is that of http.server
        """A decision, as JSON: place, decision and labels."""
        length = int(self.headers.get("Content-Length") or 0)
        # Forms of other pages cannot send JSON.
        if self.path != "/decide" or self.headers.get("Content-Type") != "application/json":
            self.send_error(HTTPStatus.NOT_FOUND)
        elif length > LONGEST:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        else:
            body = self.rfile.read(length)

            def decide() -> tuple[bytes, str]:
                asked = json.loads(body)
                with self.lock:
                    self.review.decide(int(asked["place"]), asked.get("decision"), asked.get("labels"))
                return b"{}", "application/json"

            self._answered(decide)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the terminal is for what people need to know."""

    def _answered(self, answer: Callable[[], tuple[bytes, str]]) -> None:
        # A page elsewhere may have its name resolve to this machine.
        if (self.headers.get("Host") or "").partition(":")[0] not in (LOOPBACK, "localhost"):
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        try:
            content, kind = answer()
        except (UserError, ValueError, KeyError, IndexError, TypeError) as error:
            self.send_error(HTTPStatus.BAD_REQUEST, explain=str(error))
            return
        self.send_response(HTTPStatus.OK)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(content)))):
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)
