"""Downloads: the whole paper at its place, or nothing there."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.integration.worker.portal import papers, server
from tests.integration.worker.portal.server import HTML, Reply
from worker.portal.errors import DocumentNotReady, PortalUnavailable, UnreadableAnswer
from worker.portal.paper.extract import GoodExtract, check_extract

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.worker.portal.server import Portal
    from worker.portal.client import PortalClient

    MakeClient = Callable[..., PortalClient]

PATH = "/account-back/applications/900001/download"


def test_a_paper_is_put_whole_at_its_place_and_passes_the_check(
    portal: Portal, client: PortalClient, tmp_path: Path
) -> None:
    into = tmp_path / "orders" / "123.zip"

    downloaded = client.download(900_001, into)

    content = into.read_bytes()
    assert (downloaded.path, downloaded.size_bytes) == (into, len(content))
    assert downloaded.sha256 == hashlib.sha256(content).hexdigest()
    assert [path.name for path in into.parent.iterdir()] == ["123.zip"]
    assert portal.seen(PATH)[0].headers["accept"] == "application/zip,*/*"
    assert portal.seen(PATH)[0].headers["referer"].endswith("/request-access-egrn/my-claims")
    assert isinstance(check_extract(into, server.CAD_NUM), GoodExtract)


def test_a_paper_that_is_not_ready_yet_is_waited_for(portal: Portal, client: PortalClient, tmp_path: Path) -> None:
    portal.always("GET", PATH, Reply(status=404, body={"message": "not ready"}))

    with pytest.raises(DocumentNotReady):
        client.download(900_001, tmp_path / "x.zip")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Reply(body=b"", content_type="application/zip"), UnreadableAnswer),
        (Reply(body=b"PK", content_type="application/zip"), UnreadableAnswer),
        (Reply(body={"link": "x"}), UnreadableAnswer),
        (Reply(body=b"%PDF-1.4", content_type="application/zip"), UnreadableAnswer),
        (Reply(status=404, body="<html>", content_type=HTML), UnreadableAnswer),
        (Reply(body="<html>?</html>", content_type="application/zip"), UnreadableAnswer),
        (Reply(body="<html>Технические работы</html>", content_type=HTML), PortalUnavailable),
        (Reply(body=papers.good_zip("1:1:1:1"), content_type="application/zip", action="cut"), PortalUnavailable),
        (Reply(status=400, body={}), UnreadableAnswer),
    ],
)
def test_whatever_is_no_whole_zip_leaves_the_place_as_it_was(
    portal: Portal, client: PortalClient, tmp_path: Path, answer: Reply, error: type[Exception]
) -> None:
    into = tmp_path / "123.zip"
    into.write_bytes(b"before")
    portal.always("GET", PATH, answer)

    with pytest.raises(error):
        client.download(900_001, into)

    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("123.zip", b"before")]


def test_a_paper_beyond_all_measure_is_refused(portal: Portal, make_client: MakeClient, tmp_path: Path) -> None:
    portal.always("GET", PATH, Reply(body=b"PK\x03\x04" + b"x" * 300_000, content_type="application/zip"))

    with pytest.raises(UnreadableAnswer):
        make_client(max_download_bytes=200_000).download(900_001, tmp_path / "x.zip")

    assert list(tmp_path.iterdir()) == []


def test_a_download_that_trickles_is_given_up_in_time(portal: Portal, make_client: MakeClient, tmp_path: Path) -> None:
    portal.always(
        "GET", PATH, Reply(body=b"PK\x03\x04" + b"x" * 1000, content_type="application/zip", action="trickle")
    )

    with pytest.raises(PortalUnavailable):
        make_client(download_timeout_s=0.5).download(900_001, tmp_path / "x.zip")

    assert list(tmp_path.iterdir()) == []


def test_a_session_that_is_over_is_renewed_for_a_download_too(
    portal: Portal, client: PortalClient, tmp_path: Path
) -> None:
    client.balance()
    portal.sessions.clear()

    client.download(900_001, tmp_path / "x.zip")

    assert len(portal.seen(server.LOGIN)) == 2
