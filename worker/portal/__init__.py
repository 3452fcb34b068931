"""The client of the Rosreestr portal, for one account: typed calls, the paid call, and the check of what comes.

    client = PortalClient(PortalSettings(url=...), Credentials(login=..., password=...))
    with client.pausing_with(delivery.sleep): ...

What can go wrong is in `worker.portal.errors`; what the portal is known to do, in docs/portal.md.
"""

from worker.portal.archive import ArchiveLimits
from worker.portal.client import PortalClient
from worker.portal.credentials import Credentials
from worker.portal.errors import (
    AccountUnusable,
    DocumentNotReady,
    Lack,
    LoginRefused,
    Need,
    Outage,
    PaidCallMisused,
    PersonNeeded,
    PortalError,
    PortalSettingsInvalid,
    PortalUnavailable,
    RateLimited,
    RequestRefused,
    SessionExpired,
    UnreadableAnswer,
)
from worker.portal.extract import Broken, ExtractCheck, GoodExtract, Notice, Wrong, check_extract
from worker.portal.finish import Answered, FinishRequest, Lost, NotSent, PaidCall, SendResult
from worker.portal.pacer import Pacer, Sleep
from worker.portal.pages.applications import Application, ApplicationState, Listing
from worker.portal.pages.download import Downloaded
from worker.portal.pages.profile import Declarant, Passport
from worker.portal.pages.search import Card, Characteristic, FoundObject, NotFound, Undecided, judge
from worker.portal.pages.statement import Statement, StatementGuids
from worker.portal.settings import PortalSettings

__all__ = [
    "AccountUnusable",
    "Answered",
    "Application",
    "ApplicationState",
    "ArchiveLimits",
    "Broken",
    "Card",
    "Characteristic",
    "Credentials",
    "Declarant",
    "DocumentNotReady",
    "Downloaded",
    "ExtractCheck",
    "FinishRequest",
    "FoundObject",
    "GoodExtract",
    "Lack",
    "Listing",
    "LoginRefused",
    "Lost",
    "Need",
    "NotFound",
    "NotSent",
    "Notice",
    "Outage",
    "Pacer",
    "PaidCall",
    "PaidCallMisused",
    "Passport",
    "PersonNeeded",
    "PortalClient",
    "PortalError",
    "PortalSettings",
    "PortalSettingsInvalid",
    "PortalUnavailable",
    "RateLimited",
    "RequestRefused",
    "SendResult",
    "SessionExpired",
    "Sleep",
    "Statement",
    "StatementGuids",
    "Undecided",
    "UnreadableAnswer",
    "Wrong",
    "check_extract",
    "judge",
]
