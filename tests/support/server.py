"""A server on this machine that gives files out as badly as asked: cuts, lies, forgets, changes them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Server:
    """What it gives out, and how.

    files: by name. cut_after: bytes after which a connection ends, for as many answers as `cuts`. ranges:
    whether it can begin in the middle. tags: a mark of each file's content. answers: a status for each of the
    next requests, instead of the file. asked: the Range of every request so far.
    """

    files: dict[str, bytes]
    cut_after: int = 0
    cuts: int = 0
    ranges: bool = True
    tags: dict[str, str] = field(default_factory=dict)
    answers: list[int] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def url(self, name: str) -> str:
        """Where a file of it is."""
        return f"http://127.0.0.1:{self.port}/files/{name}"


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers."""

        def do_GET(self) -> None:
            server.asked.append(self.headers.get("Range", ""))
            name = self.path.rpartition("/")[2]
            content = server.files.get(name)
            if server.answers or content is None:
                self.send_error(server.answers.pop(0) if server.answers else 404)
                return
            start, tag = 0, server.tags.get(name, "")
            same = self.headers.get("If-Range", tag) == tag
            if server.ranges and same and "Range" in self.headers:
                start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            if start >= len(content) and start:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            if tag:
                self.send_header("ETag", tag)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            rest = content[start:]
            if server.cuts > 0:
                server.cuts -= 1
                rest = rest[: server.cut_after]
            self.wfile.write(rest)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    return Handler


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Server]:
    """Serve until the block ends."""
    server = Server(files)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(server)) as listening:
        server.port = listening.server_port
        thread = Thread(target=listening.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join()
