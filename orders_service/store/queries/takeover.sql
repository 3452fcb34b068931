-- Taking over a database that the system before this one made: its `orders` and `rosreestr_users`. Columns that some of its versions don't have
-- are read by way of JSON, where a missing one is NULL. What is written is the schema as it stands after file 0006.

-- name: find_old_tables
-- Whether this database is the old system's, and no file of ours was ever applied to it.
select
    to_regclass('schema_migrations') is null
        and (exists (select from information_schema.columns
                     where table_schema = current_schema() and table_name = 'orders' and column_name = 'is_complete')
             or exists (select from information_schema.columns
                        where table_schema = current_schema() and table_name = 'rosreestr_users' and column_name = 'password_encrypted')) as is_old,
    to_regclass('orders') is not null as has_orders,
    to_regclass('rosreestr_users') is not null as has_accounts,
    current_schema() as schema;

-- name: make_empty_orders
-- Where only the other table was ever made.
create table orders (id integer primary key, cad_num text, status text, recipient_name text, created_at timestamptz, updated_at timestamptz);

-- name: make_empty_accounts
-- Where only the other table was ever made.
create table rosreestr_users (id integer primary key, username text, password_encrypted text, gu_login text);

-- name: lock_old_tables
-- Nobody of the old system changes anything from here on.
lock table orders, rosreestr_users in access exclusive mode;

-- name: list_accounts
-- The old system's accounts; one that it had deleted takes no new orders here.
create temporary table old_accounts on commit drop as
with u as materialized (select id, to_jsonb(a) as j from rosreestr_users a)
select
    u.id, u.j->>'username' as username, u.j->>'password_encrypted' as password_encrypted,
    nullif(btrim(u.j->>'gu_login'), '') as gu_login, nullif(btrim(u.j->>'comment'), '') as comment,
    coalesce((u.j->>'is_active')::boolean, true) and u.j->>'deleted_at' is null as is_active,
    coalesce((u.j->>'created_at')::timestamptz, now()) as created_at,
    coalesce((u.j->>'updated_at')::timestamptz, now()) as updated_at
from u;

-- name: list_orders
-- The old system's orders, as they stand in it. An account is known where it is written down, or where there is only one.
create temporary table old_orders on commit drop as
with o as materialized (select id, to_jsonb(r) as j from orders r)
select
    o.id::bigint as id,
    o.j->>'cad_num' as cad_num,
    nullif(btrim(o.j->>'recipient_name'), '') as recipient,
    nullif(btrim(o.j->>'comment'), '') as comment,
    coalesce(nullif(btrim(o.j->>'status'), ''), 'Добавлен в очередь') as status,
    nullif(btrim(o.j->>'rosreestr_order_num'), '') as number,
    coalesce((select a.id from old_accounts a where a.id = (o.j->>'rosreestr_user_id')::integer),
             (select max(a.id) from old_accounts a having count(*) = 1)) as account_id,
    coalesce((o.j->>'is_complete')::boolean, false) as is_complete,
    (o.j->>'deleted_at')::timestamptz as deleted_at,
    coalesce((o.j->>'created_at')::timestamptz, now()) as created_at,
    coalesce((o.j->>'updated_at')::timestamptz, now()) as updated_at,
    coalesce((o.j->>'rosreestr_registered_at')::timestamptz, (o.j->>'updated_at')::timestamptz, now()) as registered_at,
    coalesce((o.j->>'completed_at')::timestamptz, (o.j->>'updated_at')::timestamptz, now()) as finished_at,
    -- Its worker writes to a row before it does anything at the portal: one that was never written to was never ordered.
    (o.j->>'rosreestr_user_id' is not null
     or coalesce(nullif(btrim(o.j->>'status'), ''), 'Добавлен в очередь') <> 'Добавлен в очередь'
     or coalesce((o.j->>'updated_at')::timestamptz > (o.j->>'created_at')::timestamptz, true)) as is_touched
from o;

-- name: judge_orders
-- What becomes of each. The same number twice with one account is the first order's.
create temporary table old_fates on commit drop as
with numbered as (
    select o.*, o.number is not null
        and row_number() over (partition by o.account_id, o.number order by o.deleted_at is not null, o.is_complete desc, o.id) > 1 as is_second
    from old_orders o
),
judged as (
    select n.id,
        case
            when n.cad_num !~ '^[0-9]{2}:[0-9]{2}:[0-9]{6,7}:[1-9][0-9]{0,8}$' and (n.is_complete or n.deleted_at is not null) then 'left'
            when n.cad_num !~ '^[0-9]{2}:[0-9]{2}:[0-9]{6,7}:[1-9][0-9]{0,8}$' or n.cad_num is null then 'unreadable'
            when n.deleted_at is not null then 'deleted'
            when n.is_complete and n.number is not null and not n.is_second then 'completed'
            when n.is_complete then 'failed'
            when n.number is not null and n.account_id is null then 'ownerless'
            when n.number is not null and not n.is_second then 'registered'
            when n.number is null and not n.is_touched then 'queued'
            when n.account_id is not null then 'in_doubt'
            else 'in_doubt_anywhere'
        end as fate,
        n.is_second, n.account_id,
        regexp_replace(n.cad_num, '(^|:)0+([0-9])', '\1\2', 'g') as cad_key
    from numbered n
)
select j.id, j.is_second,
    -- One order of an object and account at a time may be waiting for its number.
    case when j.fate = 'in_doubt' and row_number() over (partition by j.fate, j.account_id, j.cad_key order by j.id) > 1
         then 'in_doubt_anywhere' else j.fate end as fate
from judged j;

-- name: list_misspelled
-- Numbers that aren't in the strict spelling.
select id, cad_num from old_orders where cad_num !~ '^[0-9]{2}:[0-9]{2}:[0-9]{6,7}:[1-9][0-9]{0,8}$' order by id;

-- name: respell
-- These are the same numbers in the strict spelling.
update old_orders set cad_num = given.cad_num
from unnest(%(ids)s::bigint[], %(cad_nums)s::text[]) as given (id, cad_num)
where old_orders.id = given.id;

-- name: count_fates
-- How many orders become what.
select fate, count(*) as count, (array_agg(id order by id))[1:20] as ids from old_fates group by fate order by fate;

-- name: list_doubtful
-- Orders for which a call may have been paid, and what is known of them.
select f.id, f.fate, f.is_second, o.status, o.number, a.username
from old_fates f
join old_orders o on o.id = f.id
left join old_accounts a on a.id = o.account_id
where f.fate in ('in_doubt', 'in_doubt_anywhere')
order by f.id;

-- name: list_unusable_names
-- Accounts whose name can't be a worker's.
select id, username from old_accounts where username is null or username !~ '^[A-Za-z0-9._-]{1,64}$' order by id;

-- name: count_accounts
-- How many accounts there are, and how many of them take orders.
select count(*) as count, count(*) filter (where is_active) as active from old_accounts;

-- name: list_others
-- Who else is connected to this database.
select application_name, client_addr::text as address, count(*) as count
from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'
group by application_name, client_addr
order by application_name, client_addr;

-- name: make_schema
-- Where the old tables go: nothing of them is changed or dropped.
create schema old_system;

-- name: move_orders
-- With their indexes, constraints, sequence and rights.
alter table orders set schema old_system;

-- name: move_accounts
-- The same.
alter table rosreestr_users set schema old_system;

-- name: take_accounts
-- Under their old ids. Nobody stated a declarant category: until somebody does, they order nothing.
insert into rosreestr_users (id, username, password_encrypted, gu_login, is_active, comment, created_at, updated_at)
select id, username, password_encrypted, gu_login, is_active, comment, created_at, updated_at from old_accounts order by id;

-- name: take_unknown_account
-- Whose finished orders have no account written down.
insert into rosreestr_users (id, username, is_active, comment)
select greatest((select coalesce(max(id), 0) from old_accounts), %(last_id)s::integer) + 1, 'old-system', false, 'Заказы прежней системы, при которых не записан аккаунт'
where exists (select from old_fates f join old_orders o on o.id = f.id where f.fate = 'completed' and o.account_id is null)
returning id;

-- name: add_note
-- What stands in place of the files that the old system had downloaded.
with note as (
    select convert_to('Файл этого заказа загрузила прежняя система. Он остался в папке загрузок её обработчика под именем '
                      || 'Response-<номер заказа на портале>.zip' || chr(10), 'UTF8') as data
),
added as (
    insert into extracts (sha256, size_bytes) select encode(sha256(data), 'hex'), length(data) from note returning id
)
insert into extract_chunks (extract_id, position, data) select added.id, 0, note.data from added, note returning extract_id;

-- name: take_orders
-- Under their old ids, with their dates. Those in doubt are held in the next step.
insert into orders (id, cad_num, recipient, comment, idempotency_key, state, error, rosreestr_user_id, rosreestr_order_num, portal_status,
                    extract_id, relayed_at, created_at, updated_at, registered_at, finished_at)
select
    o.id, o.cad_num, o.recipient, o.comment, 'old-system:' || o.id,
    (case f.fate when 'deleted' then 'cancelled' when 'in_doubt' then 'unconfirmed' when 'in_doubt_anywhere' then 'queued' else f.fate end)::order_state,
    case when f.fate = 'failed' then
        case when f.is_second then 'Номер ' || o.number || ' прежняя система записала и другому заказу'
             when starts_with(o.status, 'Ошибка: ') and length(btrim(o.status)) > 8 then substr(o.status, 9)
             when o.status = 'Кадастровый номер не найден на портале' then o.status
             else 'В прежней системе: «' || o.status || '», номера на портале нет' end
    end,
    case when f.fate in ('completed', 'registered', 'in_doubt') then coalesce(o.account_id, %(unknown_account_id)s::integer)
         when f.fate = 'deleted' then o.account_id end,
    case when not f.is_second and f.fate in ('completed', 'registered', 'deleted') then o.number end,
    case when f.fate = 'registered' and starts_with(o.status, 'РР ') then substr(o.status, 4) end,
    case when f.fate = 'completed' then %(note_id)s::bigint end,
    -- Only what is open goes on the queue.
    case when f.fate in ('completed', 'failed', 'deleted') then o.updated_at end,
    o.created_at, o.updated_at,
    case when f.fate in ('completed', 'registered') then o.registered_at end,
    case f.fate when 'completed' then o.finished_at when 'failed' then o.finished_at when 'deleted' then o.deleted_at end
from old_fates f
join old_orders o on o.id = f.id
where f.fate in ('completed', 'failed', 'deleted', 'registered', 'queued', 'in_doubt', 'in_doubt_anywhere')
order by o.id;

-- name: take_papers
-- Where the file of each completed order is.
insert into order_extracts (order_id, extract_id, kind, file_name, reason, received_at)
select o.id, %(note_id)s::bigint, 'notice', 'Response-' || o.number || '.txt', 'Файл у прежней системы: Response-' || o.number || '.zip', o.finished_at
from old_fates f
join old_orders o on o.id = f.id
where f.fate = 'completed';

-- name: take_journal
-- What was, or may have been, paid: as whom at the portal isn't known, so no reading of a list counts, and a person decides.
with written as (
    insert into submissions (order_id, rosreestr_user_id, super_package_guid, statement_guid, package_guid, draft_guid, intent_at,
                             person_oid, access_key, balance, portal_cad_num, known_application_ids, uploaded_at, created_at)
    select o.id, o.account_id, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), o.updated_at,
           'old-system:' || o.account_id, '', -1, o.cad_num, '{}', o.updated_at, o.created_at
    from old_fates f
    join old_orders o on o.id = f.id
    where f.fate in ('registered', 'in_doubt')
    returning id, order_id
)
insert into sends (send_id, order_id, submission_id, fence, fence_token, epoch, gate_at, absent_after_s, balance, outcome, settled_at, settled_by)
select gen_random_uuid(), w.order_id, w.id, 0, 'old-system', 0,
       case when f.fate = 'registered' then least(o.registered_at, o.updated_at) else o.updated_at end, 3600, -1,
       case when f.fate = 'registered' then 'number'::send_outcome end,
       case when f.fate = 'registered' then o.registered_at end,
       case when f.fate = 'registered' then 'old-system' end
from written w
join old_fates f on f.id = w.order_id
join old_orders o on o.id = w.order_id;

-- name: add_events
-- Where each came from.
insert into order_events (order_id, actor, kind, to_state, reason)
select r.id, 'old-system', 'transition', r.state,
       'taken over from the system before, where it was «' || o.status || '»' || case when o.deleted_at is not null then ', deleted' else '' end
       || coalesce(', number ' || o.number, '')
from orders r
join old_orders o on o.id = r.id
order by r.id;

-- name: hold_orders
-- These wait for a person.
with held as (
    update orders set hold_reason = given.reason, hold_at = clock_timestamp(), case_no = case_no + 1
    from unnest(%(ids)s::bigint[], %(reasons)s::text[]) as given (id, reason)
    where orders.id = given.id
    returning orders.id, given.reason
)
insert into order_events (order_id, actor, kind, reason) select id, 'old-system', 'hold', reason from held order by id;

-- name: read_last_ids
-- The last ids that the old tables gave, also to rows that are gone.
select
    coalesce((select last_value from pg_sequences where format('%I.%I', schemaname, sequencename) = pg_get_serial_sequence('old_system.orders', 'id')), 0) as order_id,
    coalesce((select last_value from pg_sequences where format('%I.%I', schemaname, sequencename) = pg_get_serial_sequence('old_system.rosreestr_users', 'id')), 0) as account_id;

-- name: go_on_counting
-- New ids come after all old ones.
select
    setval(pg_get_serial_sequence('orders', 'id'), greatest(%(order_id)s::bigint, (select coalesce(max(id), 0) from old_orders), 1)),
    setval(pg_get_serial_sequence('rosreestr_users', 'id'), greatest(%(account_id)s::bigint, (select coalesce(max(id), 0) from rosreestr_users), 1));

-- name: has_persons
-- Whether accounts remember who they are at the portal, and whether this database was taken over.
select to_regclass('old_system.orders') is not null
    and exists (select from information_schema.columns
                where table_schema = current_schema() and table_name = 'rosreestr_users' and column_name = 'person_oid') as has_persons;

-- name: forget_unknown_persons
-- Who an account is, is learnt at its first intent here, never from what was taken over.
update rosreestr_users set person_oid = null where starts_with(person_oid, 'old-system:');
