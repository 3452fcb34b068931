-- Accounts, without their secrets.

-- name: list_accounts
-- Accounts by id, or the one with this id or name; says whether secrets are stored, never which.
select
    rosreestr_users.id, username as account, gu_login, is_active, rosreestr_users.comment, declarant_category, portal_role as role,
    password_encrypted is not null as has_password, session_encrypted is not null as has_session,
    totp_encrypted is not null as has_totp,
    standby_kind, standby_reason, standby_until, epoch, opened_at,
    rosreestr_users.created_at, rosreestr_users.updated_at,
    (
        select count(*)
        from orders
        where orders.rosreestr_user_id = rosreestr_users.id and orders.bound_at is not null
          and orders.state in ('processing', 'unconfirmed', 'registered')
    ) as open_orders
from rosreestr_users
where rosreestr_users.id > %(after_id)s::bigint
  and (%(id)s::bigint is null or rosreestr_users.id = %(id)s::bigint)
  and (%(name)s::text is null or username = %(name)s::text)
order by rosreestr_users.id
limit %(limit)s;

-- name: insert_account
-- Add an account; no row where the name is taken.
insert into rosreestr_users (username, password_encrypted, totp_encrypted, gu_login, is_active, declarant_category, portal_role, comment)
values (%(username)s, %(password_encrypted)s, %(totp_encrypted)s, %(gu_login)s, %(is_active)s, %(declarant_category)s, %(role)s, %(comment)s)
on conflict (username) do nothing
returning id;

-- name: update_account
-- Change what is given. A new secret ends a standby that waits for one, by a trigger (end_standby_by_secret), whoever sets it. updated_at only
-- grows: workers watch it.
update rosreestr_users set
    password_encrypted = case when %(sets_password)s then %(password_encrypted)s else password_encrypted end,
    totp_encrypted = case when %(sets_totp)s then %(totp_encrypted)s else totp_encrypted end,
    session_encrypted = case when %(sets_session)s then %(session_encrypted)s else session_encrypted end,
    session_imported_at = case
        when not %(sets_session)s then session_imported_at
        when %(session_encrypted)s::text is not null then clock_timestamp()
    end,
    gu_login = case when %(sets_gu_login)s then %(gu_login)s else gu_login end,
    declarant_category = case when %(sets_declarant_category)s then %(declarant_category)s else declarant_category end,
    portal_role = case when %(sets_role)s then %(role)s else portal_role end,
    comment = case when %(sets_comment)s then %(comment)s else comment end,
    updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond')
where username = %(username)s
returning id;

-- name: deactivate_account
-- Take no new orders with it.
update rosreestr_users set
    is_active = false,
    updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond')
where username = %(username)s and is_active;

-- name: find_twin
-- The account that takes orders as the person whom this one would be.
select twin.username
from rosreestr_users u
join rosreestr_users twin on twin.person_oid = coalesce(u.claimed_person_oid, u.person_oid) and twin.is_active and twin.id <> u.id
where u.username = %(username)s
limit 1;

-- name: activate_account
-- Take new orders with it again. A trigger (end_standby_by_activation), whoever activates it, ends whatever was in the way; where it turned out
-- to be another person, that is confirmed by it.
update rosreestr_users set
    is_active = true,
    updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond')
where username = %(username)s and (not is_active or standby_kind is not null);
