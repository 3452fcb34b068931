"""Order an extract by REST, wait for it, save it. Python alone, no package.

    python3 order.py 77:01:0001001:1001 extract.zip

ORDERS_SERVICE_URL says where the service is (http://127.0.0.1:5004), ORDERS_SERVICE_TOKEN who asks, where that is asked
for. Run again with the same words it orders nothing twice: the order's key is made of them (IDEMPOTENCY_KEY: another).
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

URL = os.environ.get("ORDERS_SERVICE_URL", "http://127.0.0.1:5004").rstrip("/")
TOKEN = os.environ.get("ORDERS_SERVICE_TOKEN", "")
WAIT_S = float(os.environ.get("WAIT_S", "120"))
FINAL = ("ORDER_STATE_COMPLETED", "ORDER_STATE_FAILED", "ORDER_STATE_CANCELLED")


class Refused(Exception):
    """The service said no; the text says why."""


def ask(path: str, body: Any = None) -> Any:
    """Send a request, and send it again as long as nobody knows what came of it: nothing is done twice."""
    headers = {"Authorization": f"Bearer {TOKEN}"} if TOKEN else {}
    data = None
    if body is not None:
        headers["Content-Type"] = "application/json"
        data = json.dumps(body).encode()
    deadline = time.monotonic() + 60
    while True:
        request = urllib.request.Request(URL + path, data, headers)
        try:
            return urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            problem = json.load(error)
            pause_s = float(error.headers.get("Retry-After", "1"))
            if error.code not in (503, 504) or time.monotonic() > deadline:
                raise Refused(problem["detail"]) from error
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            pause_s = 1
            if time.monotonic() > deadline:
                raise Refused(f"{URL} can't be reached: {error}") from error
        time.sleep(pause_s)


def order(cad_num: str, key: str) -> dict[str, Any]:
    """Return the order of this key: accepted now, or earlier."""
    return dict(json.load(ask("/v1/orders", {"cad_num": cad_num, "idempotency_key": key}))["order"])


def wait(order_id: str) -> dict[str, Any]:
    """Return the order once it is final."""
    deadline = time.monotonic() + WAIT_S
    while True:
        found = dict(json.load(ask(f"/v1/orders/{order_id}"))["order"])
        if found["state"] in FINAL:
            return found
        if time.monotonic() > deadline:
            raise Refused(f"Order {order_id} is «{found['status']}» and goes on: run the same again later.")
        time.sleep(1)


def save(order_id: str, target: Path) -> None:
    """Write what came of the order on paper: whole and checked, or not at all."""
    answer = ask(f"/v1/orders/{order_id}/paper")
    data = answer.read()
    if hashlib.sha256(data).hexdigest() != answer.headers["ETag"].strip('"'):
        raise Refused("The extract didn't arrive whole: run the same again.")
    draft = target.with_name(f"{target.name}.part")
    draft.write_bytes(data)
    draft.replace(target)


def main(cad_num: str, target: Path) -> None:
    """Do the whole way."""
    if not target.absolute().parent.is_dir():
        raise Refused(f"There is no folder {target.absolute().parent}: nothing was ordered.")
    key = os.environ.get("IDEMPOTENCY_KEY") or f"{cad_num} {target.name}"
    accepted = order(cad_num, key)
    print(f"order {accepted['order_id']}: {accepted['status']}", flush=True)
    found = wait(accepted["order_id"])
    print(f"order {accepted['order_id']}: {found['status']}")
    if found["state"] != "ORDER_STATE_COMPLETED" and not found["papers"]:
        raise Refused(f"There is no paper: {found['status']}")
    save(accepted["order_id"], target)
    print(f"saved {target}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("Usage: order.py CADASTRAL_NUMBER FILE")
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except (Refused, OSError) as refused:
        raise SystemExit(str(refused)) from refused
