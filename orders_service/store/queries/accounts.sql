-- Accounts, without their secrets.

-- name: list_accounts
-- Accounts by id, or the one with this id or name; says whether secrets are stored, never which.
select
    rosreestr_users.id, username as account, gu_login, is_active, rosreestr_users.comment, declarant_category,
    password_encrypted is not null as has_password, session_encrypted is not null as has_session,
    standby_kind, standby_reason, standby_until, epoch, opened_at,
    rosreestr_users.created_at, rosreestr_users.updated_at,
    (
        select count(*)
        from orders
        left join submissions on submissions.order_id = orders.id
            and submissions.rosreestr_user_id = orders.rosreestr_user_id
        where orders.rosreestr_user_id = rosreestr_users.id
          and (orders.state in ('unconfirmed', 'registered')
               or (orders.state = 'processing' and submissions.intent_at is not null))
    ) as open_orders
from rosreestr_users
where rosreestr_users.id > %(after_id)s::bigint
  and (%(id)s::bigint is null or rosreestr_users.id = %(id)s::bigint)
  and (%(name)s::text is null or username = %(name)s::text)
order by rosreestr_users.id
limit %(limit)s;

-- name: insert_account
-- Add an account; no row where the name is taken.
insert into rosreestr_users (username, password_encrypted, gu_login, is_active, declarant_category, comment)
values (%(username)s, %(password_encrypted)s, %(gu_login)s, %(is_active)s, %(declarant_category)s, %(comment)s)
on conflict (username) do nothing
returning id;

-- name: update_account
-- Change what is given; a new secret ends a standby that waits for one. updated_at only grows: workers watch it.
update rosreestr_users set
    password_encrypted = case when %(sets_password)s then %(password_encrypted)s else password_encrypted end,
    session_encrypted = case when %(sets_session)s then %(session_encrypted)s else session_encrypted end,
    session_imported_at = case
        when not %(sets_session)s then session_imported_at
        when %(session_encrypted)s::text is not null then clock_timestamp()
    end,
    gu_login = case when %(sets_gu_login)s then %(gu_login)s else gu_login end,
    declarant_category = case when %(sets_declarant_category)s then %(declarant_category)s else declarant_category end,
    comment = case when %(sets_comment)s then %(comment)s else comment end,
    standby_kind = case when %(ends_standby)s and standby_kind in ('login_refused', 'person_needed') then null else standby_kind end,
    standby_reason = case when %(ends_standby)s and standby_kind in ('login_refused', 'person_needed') then null else standby_reason end,
    standby_since = case when %(ends_standby)s and standby_kind in ('login_refused', 'person_needed') then null else standby_since end,
    standby_until = case when %(ends_standby)s and standby_kind in ('login_refused', 'person_needed') then null else standby_until end,
    updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond')
where username = %(username)s
returning id;

-- name: deactivate_account
-- Take no new orders with it.
update rosreestr_users set
    is_active = false,
    updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond')
where username = %(username)s and is_active;

-- name: activate_account
-- Take new orders with it again, whatever was in the way.
update rosreestr_users set
    is_active = true,
    standby_kind = null, standby_reason = null, standby_since = null, standby_until = null,
    updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond')
where username = %(username)s and (not is_active or standby_kind is not null);
