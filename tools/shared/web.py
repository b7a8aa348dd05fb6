"""The built site as a reader gets it: a server that compresses, a browser."""
import contextlib
import functools
import gzip
import mimetypes
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

BROWSERS = "chromium", "chromium-browser", "google-chrome"
FLAGS = ("--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
         "--disable-background-networking --disable-component-update").split()


def browser_path():
    """Where this machine's Chromium is; None where it has none."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@functools.cache
def compressed(path):
    """A file's bytes, compressed."""
    return gzip.compress(path.read_bytes())


@contextlib.contextmanager
def serve(site, base="/"):
    """Serve a folder at a path of this machine, text compressed, as GitHub Pages does.

    Yields ``url`` and ``sent``, which maps each path that was asked for to the bytes sent.
    """
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = unquote(urlsplit(self.path).path)
            file = site / path.removeprefix(base)
            file = file / "index.html" if file.is_dir() else file
            found = path.startswith(base) and file.is_file()
            file = file if found else site / "404.html"
            kind = mimetypes.guess_type(file)[0] or "application/octet-stream"
            text = kind.startswith("text/") or kind.endswith(("javascript", "json", "xml"))
            body = compressed(file) if text else file.read_bytes()
            sent[path] = len(body)
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            if text:
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            """Print nothing."""

    sent = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_port}{base}", sent=sent)
        server.shutdown()
