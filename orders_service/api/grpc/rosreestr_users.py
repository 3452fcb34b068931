"""RosreestrUsersService: accounts, from the operator's side."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from orders_service import errors
from orders_service.accounts import manage
from orders_service.accounts.session import Cookie, of_names
from orders_service.accounts.validation import AccountChange
from orders_service.api.grpc.messages import account_message
from orders_service.v1 import rosreestr_users_pb2 as v1
from orders_service.v1 import rosreestr_users_pb2_grpc

if TYPE_CHECKING:
    from orders_service.api.grpc.status import Context
    from orders_service.crypto import Secretbox
    from orders_service.store.db import Database

_Naming: TypeAlias = (
    v1.GetRosreestrUserRequest
    | v1.UpdateRosreestrUserRequest
    | v1.DeactivateRosreestrUserRequest
    | v1.ActivateRosreestrUserRequest
)


class RosreestrUsersServicer(rosreestr_users_pb2_grpc.RosreestrUsersServiceServicer):
    """Answers by the use cases of `orders_service.accounts`."""

    def __init__(self, database: Database, box: Secretbox) -> None:
        self._database = database
        self._box = box

    async def CreateRosreestrUser(
        self, request: v1.CreateRosreestrUserRequest, context: Context
    ) -> v1.CreateRosreestrUserResponse:
        """Add an account."""
        change = AccountChange(
            password=request.password,
            totp_secret=request.totp_secret,
            gu_login=request.gu_login,
            declarant_category=request.declarant_category,
            role=request.role,
            comment=request.comment,
        )
        account = await manage.create_account(
            self._database, self._box, request.account, change, is_active=not request.is_inactive
        )
        return v1.CreateRosreestrUserResponse(user=account_message(account))

    async def GetRosreestrUser(
        self, request: v1.GetRosreestrUserRequest, context: Context
    ) -> v1.GetRosreestrUserResponse:
        """One account, by id or name."""
        account = await manage.get_account(self._database, _which(request))
        return v1.GetRosreestrUserResponse(user=account_message(account))

    async def ListRosreestrUsers(
        self, request: v1.ListRosreestrUsersRequest, context: Context
    ) -> v1.ListRosreestrUsersResponse:
        """A page of accounts."""
        page = await manage.list_accounts(self._database, page_size=request.page_size, page_token=request.page_token)
        return v1.ListRosreestrUsersResponse(
            users=[account_message(account) for account in page.accounts],
            next_page_token=manage.page_token(page.accounts[-1]) if page.has_more else "",
        )

    async def UpdateRosreestrUser(
        self, request: v1.UpdateRosreestrUserRequest, context: Context
    ) -> v1.UpdateRosreestrUserResponse:
        """Change what is given."""
        change = AccountChange(
            password=request.password if request.HasField("password") else None,
            totp_secret=request.totp_secret if request.HasField("totp_secret") else None,
            session=_cookies(request.session) if request.HasField("session") else None,
            gu_login=request.gu_login if request.HasField("gu_login") else None,
            declarant_category=request.declarant_category if request.HasField("declarant_category") else None,
            role=request.role if request.HasField("role") else None,
            comment=request.comment if request.HasField("comment") else None,
        )
        account = await manage.update_account(self._database, self._box, _which(request), change)
        return v1.UpdateRosreestrUserResponse(user=account_message(account))

    async def DeactivateRosreestrUser(
        self, request: v1.DeactivateRosreestrUserRequest, context: Context
    ) -> v1.DeactivateRosreestrUserResponse:
        """Take no new orders with it."""
        account = await manage.deactivate_account(self._database, _which(request))
        return v1.DeactivateRosreestrUserResponse(user=account_message(account))

    async def ActivateRosreestrUser(
        self, request: v1.ActivateRosreestrUserRequest, context: Context
    ) -> v1.ActivateRosreestrUserResponse:
        """Take new orders with it again."""
        account = await manage.activate_account(self._database, _which(request))
        return v1.ActivateRosreestrUserResponse(user=account_message(account))


def _cookies(session: v1.PortalSession) -> tuple[Cookie, ...]:
    jar = (Cookie(name=one.name, value=one.value, path=one.path or "/") for one in session.jar)
    return (*of_names(session.cookies), *jar)


def _which(request: _Naming) -> manage.Which:
    match request.WhichOneof("which"):
        case "account_id":
            return request.account_id
        case "account":
            return request.account
    raise errors.InvalidInput.of("account", "give the account's name, or its account_id.")
