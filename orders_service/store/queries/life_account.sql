-- What workers ask about their account. Secrets are sealed.

-- name: lock_account
-- The account, its epoch kept from rising until this transaction ends: a decision is before or after an opening, never beside it.
select id, username, gu_login, password_encrypted, totp_encrypted, session_encrypted, session_imported_at, declarant_category, portal_role, person_oid, is_active, epoch,
       standby_kind, standby_reason, standby_until, coalesce(standby_until <= clock_timestamp(), false) as is_standby_over,
       extract(epoch from standby_until - clock_timestamp())::double precision as standby_left_s,
       passwords_sent, extract(epoch from clock_timestamp() - password_sent_at)::double precision as password_age_s, updated_at
from rosreestr_users
where username = %(username)s
for share;

-- name: lock_account_and_order
-- The account as above, then the order: what a decision stands on. One of them is missing where there is none such.
with account as materialized (
    select id, username, gu_login, password_encrypted, totp_encrypted, session_encrypted, session_imported_at, declarant_category, portal_role, person_oid, is_active, epoch,
           standby_kind, standby_reason, standby_until, coalesce(standby_until <= clock_timestamp(), false) as is_standby_over,
           extract(epoch from standby_until - clock_timestamp())::double precision as standby_left_s,
           passwords_sent, extract(epoch from clock_timestamp() - password_sent_at)::double precision as password_age_s, updated_at
    from rosreestr_users
    where username = %(username)s
    for share
), locked as materialized (
    select id as order_id
    from orders
    where id = %(order_id)s and (select count(*) from account) >= 0
    for update
)
select locked.order_id, account.id, account.username, account.gu_login, account.password_encrypted, account.totp_encrypted,
       account.session_encrypted,
       account.session_imported_at, account.declarant_category, account.portal_role, account.person_oid, account.is_active, account.epoch, account.standby_kind,
       account.standby_reason, account.standby_until, account.is_standby_over, account.standby_left_s, account.passwords_sent,
       account.password_age_s, account.updated_at
from (values (true)) as one (is_one)
left join account on true
left join locked on true;

-- name: lock_account_to_change
-- The same, for a transaction that changes it: two of them that share first and change later would wait for each other for ever.
select id, username, gu_login, password_encrypted, totp_encrypted, session_encrypted, session_imported_at, declarant_category, portal_role, person_oid, is_active, epoch,
       standby_kind, standby_reason, standby_until, coalesce(standby_until <= clock_timestamp(), false) as is_standby_over,
       extract(epoch from standby_until - clock_timestamp())::double precision as standby_left_s,
       passwords_sent, extract(epoch from clock_timestamp() - password_sent_at)::double precision as password_age_s, updated_at
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
    updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond')
where id = %(account_id)s and epoch = %(epoch)s;

-- name: find_account_of_person
-- The account that takes orders as this person, other than this one.
select username
from rosreestr_users
where person_oid = %(person_oid)s and is_active and id <> %(account_id)s
limit 1;

-- name: learn_person
-- The account is this person, as it showed for the first time.
update rosreestr_users
set person_oid = %(person_oid)s, claimed_person_oid = null
where id = %(account_id)s and person_oid is null;

-- name: claim_person
-- Whom the account turned out to be: until somebody confirms it, it stands by.
update rosreestr_users
set claimed_person_oid = %(person_oid)s, standby_kind = 'person_needed', standby_reason = %(reason)s, standby_until = null,
    standby_since = clock_timestamp(), updated_at = greatest(clock_timestamp(), updated_at + interval '1 microsecond')
where id = %(account_id)s;

-- name: count_bound_orders
-- How many open orders only this account can go on with; those on hold, too.
select count(*) as bound
from orders
where rosreestr_user_id = %(account_id)s and bound_at is not null and state in ('processing', 'unconfirmed', 'registered');
