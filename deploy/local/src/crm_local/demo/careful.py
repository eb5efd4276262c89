"""A client as every integration should be: it repeats what was not answered, and never does a thing twice."""

import asyncio
import uuid
from typing import Any, Final

import httpx

_PATIENCE_SECONDS: Final = 60.0
_PAUSE_SECONDS: Final = 0.1
# Under way elsewhere, too fast, failed for now: each may succeed when it is repeated.
_REPEATED: Final = frozenset({409, 429, 500, 502, 503, 504})


class DemoFailed(Exception):
    """A step of the week went wrong; the text says which."""


class CarefulClient:
    """Sends every POST under an Idempotency-Key of its own, and again under the same one until it is answered."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def post(self, path: str, body: dict[str, Any] | None = None, *, want: int = 201) -> dict[str, Any]:
        """Raises DemoFailed."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        answer: dict[str, Any] = (await self._insist("POST", path, want, json=body, headers=headers)).json()
        return answer

    async def get(self, path: str, **params: str) -> dict[str, Any]:
        """Raises DemoFailed."""
        answer: dict[str, Any] = (await self._insist("GET", path, 200, params=params)).json()
        return answer

    async def follow(self, url: str, form: dict[str, str]) -> None:
        """Posts a form to an address out of a mail, without the key. Raises DemoFailed."""
        await self._insist("POST", url, 200, data=form, headers={"Authorization": ""})

    async def _insist(self, method: str, path: str, want: int, **more: Any) -> httpx.Response:
        failure = ""
        end = asyncio.get_running_loop().time() + _PATIENCE_SECONDS
        while asyncio.get_running_loop().time() < end:
            try:
                response = await self._client.request(method, path, **more)
            except httpx.TransportError as error:
                failure = f"was not answered ({type(error).__name__})"
            else:
                if response.status_code == want:
                    return response
                failure = f"answered {response.status_code}: {response.text[:300]}"
                if response.status_code not in _REPEATED:
                    break
            await asyncio.sleep(_PAUSE_SECONDS)
        raise DemoFailed(f"{method} {path} {failure}")
