"""What the callback is compared with: the original's way, written anew from its description.

The state dict goes through torch.save, gzip at its default level, base64 and one JSON document in one POST. The
receiver takes all of that apart again and writes the model to disk. `python seed_callback.py FOLDER` prints its port
and serves until it is ended.
"""

import base64
import gzip
import io
import json
import os
import sys
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import torch


def send(port: int, state_dict: dict[str, torch.Tensor]) -> int:
    """Send a state dict to a receiver on this machine; returns the size of the body in bytes."""
    buffer = io.BytesIO()
    torch.save(state_dict, buffer)
    body = json.dumps({"state_dict": base64.b64encode(gzip.compress(buffer.getvalue())).decode("ascii")}).encode()
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("POST", "/", body=body, headers={"Content-Type": "application/json"})
    if connection.getresponse().read() != b"stored":
        raise RuntimeError("the receiver did not store the model")
    return len(body)


def receiver(folder: Path) -> type[BaseHTTPRequestHandler]:
    """A handler that stores what it is sent below `folder`."""

    class Handler(BaseHTTPRequestHandler):
        """Takes one POST."""

        def do_POST(self) -> None:
            """Undo the layers, load, and write to disk."""
            body = self.rfile.read(int(self.headers["Content-Length"]))
            content = gzip.decompress(base64.b64decode(json.loads(body)["state_dict"]))
            torch.load(io.BytesIO(content), weights_only=True)
            path = folder / "model.pt"
            with path.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"stored")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            """Say nothing."""

    return Handler


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", 0), receiver(Path(sys.argv[1])))
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
