"""What a job carries, as it lies in Redis: one text, in the lane's entry or in the job's hash.

It is the data's JSON. A job with options (a name, headers, a run timeout) has them as JSON on a line of their own
before it: JSON has no raw newline, so a text without one is data alone, and most jobs have no options.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import json.encoder
import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rosq import errors
from rosq.delays import MAX_DELAY_S, check_delay
from rosq.names import check_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rosq.job import JobData, NewJob

_TIMEOUT = "run_timeout_s"
NO_HEADERS: Mapping[str, str] = types.MappingProxyType({})


def _make_encoder() -> Callable[[Any], str]:
    # One spelling for one content: it is compared letter by letter.
    encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return encoder.encode
    # `encode` makes such a one for each text, which takes longer than its work. This one keeps nothing between two
    # texts, so threads may share it; data that hold themselves it tells by a RecursionError.
    list_parts = make(None, encoder.default, json.encoder.encode_basestring, None, ":", ",", True, False, False)
    return lambda data: "".join(list_parts(data, 0))


_encode = _make_encoder()
#: For one value and nothing else, its `raw_decode` takes half as long as `json.loads`.
_decoder = json.JSONDecoder()


# Not frozen, and made by position: see `rosq.execution.settlement`.
@dataclasses.dataclass(slots=True)
class Body:
    """A job's data and options, read."""

    data: JobData
    name: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=lambda: NO_HEADERS)
    run_timeout_s: float | None = None


def to_json(data: JobData) -> str:
    """The one spelling of job data."""
    return _encode(data)


def pack(job: NewJob) -> str:
    """Return the text that stands for what a new job carries; `check_sizes` says whether it can be stored.

    Raises:
        InvalidData: The data aren't JSON, or the options aren't what they should be.
        InvalidName: The job's name breaks the rule.
    """
    if not isinstance(job.data, dict):
        raise errors.InvalidData(f"Job {job.job_id}: its data are of class {type(job.data).__name__}: give a dict.")
    try:
        text = _encode(job.data)
    except (TypeError, ValueError, RecursionError) as error:
        raise errors.InvalidData(f"Job {job.job_id}: its data aren't JSON: {error}.") from error
    if text[0] != "{":
        raise errors.InvalidData(f"Job {job.job_id}: its data must be a JSON object, not {text[:20]}.")
    if job.name or job.headers or job.run_timeout_s is not None:
        return f"{_encode(_options_of(job))}\n{text}"
    return text


def check_sizes(job_ids: Sequence[str], texts: Sequence[str], max_bytes: int) -> None:
    """Return if none of the jobs' texts takes more bytes than that.

    Raises:
        InvalidData: One does, or no UTF-8 can be made of it.
    """
    for job_id, text in zip(job_ids, texts, strict=True):
        if text.isascii() and len(text) <= max_bytes:
            continue
        try:
            size = len(text.encode())
        except UnicodeEncodeError as error:
            raise errors.InvalidData(f"Job {job_id}: no UTF-8 can be made of what it carries: {error}.") from error
        if size > max_bytes:
            raise errors.InvalidData(
                f"Job {job_id}: its data take {size} bytes, {max_bytes} are allowed. "
                "Store them elsewhere and put a pointer into the job."
            )


def unpack(text: str) -> Body:
    """Read what `pack` made.

    Raises:
        ValueError: Something else wrote it, or it is nested deeper than can be read here.
    """
    head, newline, data = text.partition("\n")
    if not newline:
        return Body(_decode(head), "", NO_HEADERS)
    options = _decode(head)
    name, headers, run_timeout_s = options.get("name", ""), options.get("headers", NO_HEADERS), options.get(_TIMEOUT)
    is_text = isinstance(name, str) and isinstance(headers, Mapping)
    is_text = is_text and all(isinstance(value, str) for value in headers.values())
    is_time = run_timeout_s is None or (isinstance(run_timeout_s, int | float) and 0 < run_timeout_s <= MAX_DELAY_S)
    if not is_text or not is_time:
        raise ValueError("the job's options aren't what they should be")
    return Body(data=_decode(data), name=name, headers=headers, run_timeout_s=run_timeout_s)


def _decode(text: str) -> dict[str, Any]:
    if not text.isascii():
        # Bytes that are no UTF-8 were read as halves of surrogates, which JSON would take.
        text.encode()
    try:
        data, end = _decoder.raw_decode(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if end != len(text):
        raise json.JSONDecodeError("Extra data", text, end)
    if not isinstance(data, dict):
        raise ValueError("it is no JSON object")
    return data


def split(text: str) -> tuple[str, str]:
    """Split what `pack` made into the job's name and the JSON of its data, which are what counts as its content."""
    head, newline, data = text.partition("\n")
    return (_decode(head).get("name", ""), data) if newline else ("", head)


def digest(name: str, data_json: str) -> str:
    """What is remembered of a forgotten job's content (`scripts/shared/forget.lua`)."""
    return hashlib.sha1(f"{name}\n{data_json}".encode(), usedforsecurity=False).hexdigest()


def _options_of(job: NewJob) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if job.name:
        options["name"] = check_name("job name", job.name)
    if job.headers:
        if not all(isinstance(part, str) for pair in job.headers.items() for part in pair):
            raise errors.InvalidData(f"Job {job.job_id}: its headers must be text by text.")
        options["headers"] = dict(job.headers)
    if job.run_timeout_s is not None:
        options["run_timeout_s"] = _check_run_timeout(job.job_id, job.run_timeout_s)
    return options


def _check_run_timeout(job_id: str, run_timeout_s: float) -> float:
    try:
        seconds = check_delay("run_timeout_s", run_timeout_s)
    except ValueError as error:
        raise errors.InvalidData(f"Job {job_id}: {error}") from None
    if not seconds:
        raise errors.InvalidData(f"Job {job_id}: run_timeout_s is {run_timeout_s}: give more than 0 seconds.")
    return seconds
