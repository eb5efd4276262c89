"""A stand-in for a service or the gateway: answers /readyz, creates tenants, tells its environment."""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

NAME = sys.argv[1]
FOLDER = Path(os.environ["STAND_IN_FOLDER"])


def tenants() -> dict[str, dict[str, str]]:
    file = FOLDER / "tenants.json"
    return json.loads(file.read_text()) if file.exists() else {}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/readyz":
            self.answer(200, {})
        elif self.path == "/environment":
            self.answer(200, dict(os.environ))
        else:
            known = {f"Bearer {tenant['api_key']}" for tenant in tenants().values()}
            self.answer(200 if self.headers["Authorization"] in known else 401, {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != "/v1/tenants" or self.headers["Authorization"] != f"Bearer {os.environ['ADMIN_KEY']}":
            self.answer(403, {})
            return
        created, key = tenants(), self.headers["Idempotency-Key"]
        if key not in created:
            number = len(created) + 1
            created[key] = {"id": f"tenant_{number}", "api_key": f"key_{number}", **body}
            (FOLDER / "tenants.json").write_text(json.dumps(created))
        if (FOLDER / "die_after_commit").exists():
            (FOLDER / "die_after_commit").unlink()
            os._exit(9)
        self.answer(201, created[key])

    def answer(self, status: int, body: object) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)


if (FOLDER / f"{NAME}.fails").exists():
    sys.exit(f"{NAME}: the table 'contact' is missing")
if (FOLDER / f"{NAME}.hangs").exists():
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if (FOLDER / f"{NAME}.ends").exists():
    sys.stdout.write("ends in half a second\n")
    time.sleep(0.5)
    sys.exit(7)
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
