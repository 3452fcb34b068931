-- What workers ask about their account. Secrets are sealed.

-- name: lock_account
-- The account, its epoch kept from rising until this transaction ends: a decision is before or after an opening, never beside it.
select id, username, gu_login, password_encrypted, session_encrypted, session_imported_at, declarant_category, is_active, epoch,
       standby_kind, standby_reason, standby_until, coalesce(standby_until <= clock_timestamp(), false) as is_standby_over, updated_at
from rosreestr_users
where username = %(username)s
for share;

-- name: lock_account_to_change
-- The same, for a transaction that changes it: two of them that share first and change later would wait for each other for ever.
select id, username, gu_login, password_encrypted, session_encrypted, session_imported_at, declarant_category, is_active, epoch,
       standby_kind, standby_reason, standby_until, coalesce(standby_until <= clock_timestamp(), false) as is_standby_over, updated_at
from rosreestr_users
where username = %(username)s
for no key update;

-- name: raise_epoch
-- Open the account: what was decided under an earlier epoch bounces from here on.
update rosreestr_users
set epoch = epoch + 1, opened_at = clock_timestamp(), opened_by = %(opened_by)s
where id = %(account_id)s;

-- name: mark_account
-- Say why the account takes no new orders for now, or that nothing is in the way.
update rosreestr_users
set standby_kind = %(kind)s::text,
    standby_reason = %(reason)s::text,
    standby_since = case when %(kind)s::text is null then null
                         when standby_kind = %(kind)s::text then standby_since
                         else clock_timestamp() end,
    standby_until = clock_timestamp() + make_interval(secs => %(retry_in_s)s::double precision),
    updated_at = clock_timestamp()
where id = %(account_id)s and epoch = %(epoch)s;

-- name: count_bound_orders
-- How many open orders only this account can go on with; those on hold, too.
select count(*) as bound
from orders o
where o.rosreestr_user_id = %(account_id)s
  and (o.state in ('unconfirmed', 'registered')
       or o.state = 'processing' and exists (
           select 1 from submissions s
           where s.order_id = o.id and s.rosreestr_user_id = o.rosreestr_user_id and s.intent_at is not null));

-- name: find_account_id
-- The account of this name.
select id
from rosreestr_users
where username = %(username)s;
