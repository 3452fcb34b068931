"""A simulator's own side, as a test speaks with it."""

from __future__ import annotations

from typing import Any

import httpx


class Control:
    """The calls under `/_simulator`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=f"{url}/_simulator", timeout=30)

    def get(self, path: str, **query: str | float) -> dict[str, Any]:
        """Ask its own side."""
        return self._answer(self._http.get(path, params=query))

    def post(self, path: str, **body: object) -> dict[str, Any]:
        """Tell its own side."""
        return self._answer(self._http.post(path, json=body))

    def delete(self, path: str) -> dict[str, Any]:
        """Take something away."""
        return self._answer(self._http.delete(path))

    def fault(self, endpoint: str, kind: str, **more: object) -> dict[str, Any]:
        """Order a fault."""
        return self.fault_of(endpoint=endpoint, kind=kind, **more)

    def fault_of(self, **fault: object) -> dict[str, Any]:
        """Order a fault of several kinds, or a sequence."""
        return self.post("/faults", **fault)

    def charges(self, account: str) -> list[dict[str, Any]]:
        """What this account was charged."""
        return [charge for charge in self.get("/ledger")["charges"] if charge["account"] == account]

    def requests(self, account: str, endpoint: str) -> list[dict[str, Any]]:
        """The account's calls of one endpoint."""
        return list(self.get("/requests", account=account, endpoint=endpoint)["requests"])

    def ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Any call, whatever it answers."""
        return self._http.request(method, path, json=body)

    def close_control(self) -> None:
        """Let the connection go."""
        self._http.close()

    @staticmethod
    def _answer(response: httpx.Response) -> dict[str, Any]:
        assert response.is_success, response.text
        answer: dict[str, Any] = response.json()
        return answer
