"""Answers are compressed for whoever takes it, except small ones of the API, where it would cost more than it saves.

A file is compressed once in each process and then sent from memory: its address has its contents' hash, and there are few.
The largest lies there compressed, better than there would be time for: WhiteNoise sends the `.br` beside a file.
"""

import gzip
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from django.http import FileResponse, HttpRequest, HttpResponse
from django.middleware.gzip import GZipMiddleware
from django.utils.cache import patch_vary_headers

LEAST_API_BYTES = 2_000
API_PREFIXES = ("/v1/", "/v2/", "/v1beta")  # ours, and Alpaca's
FILES_KEPT = 200
# What is text; other files are compressed already.
TEXT = ("text/", "application/javascript", "application/json", "image/svg+xml")


class Compression(GZipMiddleware):
    """Django's gzip, which pads HTML so that its length tells nothing, with a floor for the API's answers."""

    get_response: Callable[[HttpRequest], HttpResponse]

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        if isinstance(response, FileResponse):
            return _file(request, response)
        is_api = request.path.startswith(API_PREFIXES)
        if is_api and not response.streaming and len(response.content) < LEAST_API_BYTES:
            return response
        return super().process_response(request, response)


def _file(request: HttpRequest, response: FileResponse) -> HttpResponse:
    """The file as it is, or whole and compressed."""
    is_text = response.headers.get("Content-Type", "").startswith(TEXT)
    if response.status_code != 200 or response.has_header("Content-Encoding") or not is_text:
        return response
    patch_vary_headers(response, ("Accept-Encoding",))
    if request.method != "GET" or "gzip" not in request.headers.get("Accept-Encoding", ""):
        return response
    path = Path(response.file_to_stream.name)
    packed = HttpResponse(_packed(path, path.stat().st_mtime_ns))
    response.close()
    for name, value in response.headers.items():
        packed.headers[name] = value
    packed.headers["Content-Encoding"] = "gzip"
    packed.headers["Content-Length"] = str(len(packed.content))
    if etag := packed.headers.get("ETag"):
        packed.headers["ETag"] = etag if etag.startswith("W/") else f"W/{etag}"
    return packed


@lru_cache(maxsize=FILES_KEPT)
def _packed(path: Path, _changed: int) -> bytes:
    return gzip.compress(path.read_bytes(), compresslevel=9, mtime=0)
