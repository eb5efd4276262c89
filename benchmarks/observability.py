"""What metrics, logs and traces cost: `python benchmarks/observability.py --rounds 9 --seconds 3`.

Gateways beside one running stack, each observed in another way, are asked in turns for the same customer's view, or to
create contacts. The machine is shared with the load, the services and PostgreSQL, so what counts is the processor time of the gateway
alone, a request: the least of the rounds, which others disturbed least, and the median; each with its ratio to a gateway that is
not observed at all. A collector takes the spans and throws them away; its time does not count.
"""

import argparse
import asyncio
import json
import statistics
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
from crm_local.child import Child
from crm_local.configuration import Configuration
from crm_local.ports import find_free_ports
from crm_local.run_folder import temporary_run_dir
from crm_local.stack import LocalStack
from crm_testkit.beside import beside
from load import NUMBER, Outcome, drive, request_bytes
from writes import cpu_seconds

NOTHING = "nothing"
_UNOBSERVED = (sys.executable, str(Path(__file__).parent / "unobserved.py"))


def variants(collector: str) -> Mapping[str, Mapping[str, str]]:
    """Settings by name. `nothing` is started by another program."""
    traced = {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_ENDPOINT": collector}
    share = {**traced, "OTEL_TRACES_SAMPLER": "parentbased_traceidratio"}
    return {
        NOTHING: {},
        "metrics": {"LOG_LEVEL": "WARNING"},
        "metrics, logs": {},
        "metrics, logs, 1 % of traces": {**share, "OTEL_TRACES_SAMPLER_ARG": "0.01"},
        "metrics, logs, all traces": {**share, "OTEL_TRACES_SAMPLER_ARG": "1"},
    }


class Swallow(BaseHTTPRequestHandler):
    """A collector that keeps nothing."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@asynccontextmanager
async def running_collector() -> AsyncIterator[str]:
    (port,) = find_free_ports(1)
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, "--collect", str(port))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def measure(gateways: Mapping[str, Child], requests: Mapping[str, bytes], rounds: int, seconds: float) -> None:
    for about, request in requests.items():
        took: dict[str, list[float]] = {name: [] for name in gateways}
        outcomes: dict[str, list[Outcome]] = {name: [] for name in gateways}
        for number in range(rounds + 1):
            for name, gateway in gateways.items():
                assert gateway.pid is not None
                before = cpu_seconds({name: gateway.pid})
                url = f"http://127.0.0.1:{gateway.program.port}"
                outcome = await drive(url, [request], seconds=seconds, warm_up=False)
                cpu = (cpu_seconds({name: gateway.pid})[name] - before[name]) / max(1, outcome.requests)
                if number:  # the first round warms all of them up
                    took[name].append(cpu * 1e6)
                    outcomes[name].append(outcome)
        for name in gateways:
            ratios = [mine / bare for mine, bare in zip(took[name], took[NOTHING], strict=True)]
            row = {
                "what": about,
                "observed": name,
                "least CPU µs": round(min(took[name]), 1),
                "of unobserved": round(min(took[name]) / min(took[NOTHING]), 3),
                "median CPU µs": round(statistics.median(took[name]), 1),
                "median of unobserved": round(statistics.median(ratios), 3),
                "/s": round(statistics.median(one.requests_per_second for one in outcomes[name])),
                "errors": sum(one.errors for one in outcomes[name]),
            }
            print(json.dumps(row, ensure_ascii=False), flush=True)


async def main(whats: list[str], rounds: int, seconds: float) -> None:
    async with AsyncExitStack() as opened:
        folder = opened.enter_context(temporary_run_dir())
        stack = await opened.enter_async_context(LocalStack(Configuration(run_dir=folder)))
        collector = await opened.enter_async_context(running_collector())
        key = {"Authorization": f"Bearer {stack.dev['api_key']}"}
        async with httpx.AsyncClient(base_url=stack.urls["gateway"], headers=key, timeout=60) as client:
            made = (await client.post("/v1/contacts", json={"full_name": "Observed"})).json()
            while (await client.get(f"/v1/customers/{made['id']}")).status_code != httpx.codes.OK:
                await asyncio.sleep(0.1)
        gateways = {
            name: await opened.enter_async_context(
                beside(stack, "gateway", "serve", "--only", "api", settings=settings, start=_start(name))
            )
            for name, settings in variants(collector).items()
        }
        url = stack.urls["gateway"]
        body = json.dumps({"full_name": f"Observed {NUMBER.decode()}"}).encode()
        requests = {
            "view": request_bytes("GET", f"{url}/v1/customers/{made['id']}", key),
            "creation": request_bytes("POST", f"{url}/v1/contacts", {**key, "Content-Type": "application/json"}, body),
        }
        await measure(gateways, {what: requests[what] for what in whats}, rounds, seconds)


def _start(name: str) -> tuple[str, ...]:
    return _UNOBSERVED if name == NOTHING else ()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--what", default="view,creation", help="which of them")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=3, help="of each gateway in each round")
    parser.add_argument("--collect", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.collect:
        ThreadingHTTPServer(("127.0.0.1", chosen.collect), Swallow).serve_forever()
    asyncio.run(main(chosen.what.split(","), chosen.rounds, chosen.seconds))
