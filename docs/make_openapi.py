"""Write the OpenAPI document of the contract: `make openapi`. With `--check`, fail where another one stands."""

from __future__ import annotations

import importlib.resources
import json
import sys
import tempfile
import tomllib
from pathlib import Path

from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_tools import protoc

from orders_service.api.rest.openapi.comments import Comments
from orders_service.api.rest.openapi.document import describe
from orders_service.server import SERVICES

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "orders_service/api/rest/openapi/openapi.json"


def read_files() -> FileDescriptorSet:
    """Return the contract with its comments, by protoc."""
    protos = sorted((ROOT / "proto/orders_service/v1").glob("*.proto"))
    with tempfile.NamedTemporaryFile(suffix=".pb") as output:
        names = [str(proto.relative_to(ROOT / "proto")) for proto in protos]
        folders = (ROOT / "proto", importlib.resources.files("grpc_tools") / "_proto")
        options = [*(f"-I{folder}" for folder in folders), "--include_source_info"]
        options.append(f"--descriptor_set_out={output.name}")
        if protoc.main(["protoc", *options, *names]) != 0:
            raise SystemExit(1)
        return FileDescriptorSet.FromString(Path(output.name).read_bytes())


def make() -> str:
    """Return the document as it should be."""
    services = [descriptor_pool.Default().FindServiceByName(name) for name in SERVICES]
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    document = describe(services, Comments(read_files().file), version)
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    made = make()
    if "--check" in sys.argv:
        if not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != made:
            raise SystemExit(f"{TARGET.relative_to(ROOT)} isn't what the contract says: run `make openapi` and commit.")
    else:
        TARGET.write_text(made, encoding="utf-8")
