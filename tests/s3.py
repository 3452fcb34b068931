"""As much of an S3 as storing files by name needs, in memory: put, parts, ranges, list, delete. No signatures."""

from __future__ import annotations

import contextlib
import http.server
import re
import threading
import urllib.parse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENTRY = (
    "<Contents><Key>{}</Key><LastModified>2026-01-15T10:00:00.000Z</LastModified><ETag>&quot;x&quot;</ETag>"
    "<Size>1</Size></Contents>"
)


class S3Server(http.server.ThreadingHTTPServer):
    """Holds objects by path; refuses everything while `is_away`, and knows no bucket while `is_gone`."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.is_away = self.is_gone = False
        #: Other names of a bucket.
        self.aliases: dict[str, str] = {}

    @property
    def env(self) -> dict[str, str]:
        """How clients find it."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server_port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "not a secret",
        }


@contextlib.contextmanager
def serving() -> Iterator[S3Server]:
    """Run one on a port of its own."""
    server = S3Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: S3Server

    def do_PUT(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, query = self._target()
        if "uploadId" in query:
            self.server.parts[query["uploadId"]][int(query["partNumber"])] = data
        else:
            self.server.objects[path] = data
        self._answer(200, {"ETag": '"x"'})

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path, query = self._target()
        if "delete" in query:
            keys = re.findall(r"<Key>([^<]+)</Key>", sent.decode())
            for key in keys:
                self._remove(f"{path.rstrip('/')}/{key}")
            deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
            body = f"<DeleteResult>{deleted}</DeleteResult>"
        elif "uploads" in query:
            upload = str(len(self.server.parts) + 1)
            self.server.parts[upload] = {}
            body = f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
        else:
            parts = self.server.parts.pop(query["uploadId"])
            self.server.objects[path] = b"".join(parts[number] for number in sorted(parts))
            body = '<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>'
        self._answer(200, {"Content-Type": "application/xml"}, body.encode())

    def do_GET(self) -> None:
        path, query = self._target()
        if "list-type" in query:
            prefix = f"{path.rstrip('/')}/{query.get('prefix', '')}"
            keys = [key.removeprefix(f"{path.rstrip('/')}/") for key in self.server.objects if key.startswith(prefix)]
            told = "".join(_ENTRY.format(key) for key in keys)
            self._answer(
                200, {"Content-Type": "application/xml"}, f"<ListBucketResult>{told}</ListBucketResult>".encode()
            )
            return
        data = self.server.objects.get(path)
        if data is None:
            self._answer(404, {}, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        headers = {"ETag": '"x"', "Last-Modified": "Thu, 15 Jan 2026 10:00:00 GMT"}
        wanted = re.fullmatch(r"bytes=([0-9]+)-([0-9]+)", self.headers.get("Range") or "")
        if wanted:
            start, end = int(wanted[1]), min(int(wanted[2]), len(data) - 1)
            if start > end:
                self._answer(416, {}, b"<Error><Code>InvalidRange</Code></Error>")
                return
            headers["Content-Range"] = f"bytes {start}-{end}/{len(data)}"
            self._answer(206, headers, data[start : end + 1])
        else:
            self._answer(200, headers, data)

    def do_HEAD(self) -> None:
        data = None if self.server.is_gone else self.server.objects.get(self._target()[0])
        self.send_response(403 if self.server.is_away else 200 if data is not None else 404)
        self.send_header("Content-Length", str(len(data or b"")))
        self.send_header("ETag", '"x"')
        self.send_header("Last-Modified", "Thu, 15 Jan 2026 10:00:00 GMT")
        self.end_headers()

    def do_DELETE(self) -> None:
        self._remove(self._target()[0])
        self._answer(204, {})

    def _remove(self, path: str) -> None:
        if not self.server.is_away and not self.server.is_gone:
            self.server.objects.pop(path, None)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _target(self) -> tuple[str, dict[str, str]]:
        parts = urllib.parse.urlsplit(self.path)
        bucket, slash, key = parts.path[1:].partition("/")
        path = self.server.aliases.get(f"/{bucket}", f"/{bucket}") + slash + key
        return path, dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True))

    def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        if self.server.is_away:
            status, headers, body = 403, {}, b"<Error><Code>AccessDenied</Code></Error>"
        elif self.server.is_gone:
            status, headers, body = 404, {}, b"<Error><Code>NoSuchBucket</Code></Error>"
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)
