-- Calls to the portal, reserved ahead by day of Moscow, which has had no other offset than three hours since 2014.

-- name: lock_person
-- One account of a person reserves at a time. The account itself is locked before: until the end of this transaction it is nobody else.
select pg_advisory_xact_lock(hashtextextended('portal_calls ' || coalesce(person_oid, 'account ' || id), 0))
from rosreestr_users
where id = %(account_id)s;

-- name: reserve
-- So many of the calls that are asked for as the limit has left, over all accounts of the person. A statement of its own: it sees what the one that held
-- the lock before has written.
with today as (
    select (clock_timestamp() at time zone interval '3 hours')::date as day
), of_person as (
    select others.id
    from rosreestr_users own
    join rosreestr_users others on others.id = own.id or others.person_oid = own.person_oid
    where own.id = %(account_id)s
), had as (
    select coalesce(sum(calls.reserved), 0)::bigint as reserved
    from portal_calls calls, today
    where calls.day = today.day and calls.account_id in (select id from of_person)
), got as (
    select greatest(0, least(%(calls)s::bigint, %(daily_limit)s::bigint - had.reserved))::integer as granted
    from had
), kept as (
    insert into portal_calls (account_id, day, reserved)
    select %(account_id)s, today.day, got.granted
    from today, got
    where got.granted > 0
    on conflict (account_id, day) do update set reserved = portal_calls.reserved + excluded.reserved
), forgotten as (
    -- A month of them is kept, to look at.
    delete from portal_calls calls using today where calls.account_id = %(account_id)s and calls.day < today.day - 30
)
select got.granted,
       extract(epoch from (today.day + 1)::timestamp at time zone interval '3 hours' - clock_timestamp())::double precision as day_left_s
from got, today;
