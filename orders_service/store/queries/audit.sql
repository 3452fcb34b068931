-- The audit: who did what.

-- name: look_at_orders
-- How orders stand: nothing personal.
select jsonb_build_object(
    'order_id', orders.id, 'state', state, 'client', client, 'account', username, 'number', rosreestr_order_num,
    'hold_reason', hold_reason, 'case_no', case_no, 'is_urgent', is_urgent
) as seen
from orders left join rosreestr_users on rosreestr_users.id = orders.rosreestr_user_id
where orders.id = any(%(ids)s::bigint[])
order by orders.id;

-- name: look_at_account
-- How an account stands: whether it has secrets, never which.
select jsonb_build_object(
    'account', username, 'is_active', is_active, 'declarant_category', declarant_category,
    'has_gu_login', gu_login is not null, 'has_password', password_encrypted is not null,
    'has_session', session_encrypted is not null, 'has_totp', totp_encrypted is not null, 'standby_kind', standby_kind, 'standby_reason', standby_reason,
    'epoch', epoch
) as seen
from rosreestr_users where username = %(account)s::text or id = %(account_id)s::bigint;

-- name: add_asked
-- A call's row from before it is made; the disk isn't waited for.
insert into audit (call_id, step, actor, token_id, origin, action, order_ids, account, reason, request, before)
select %(call_id)s::uuid, 'asked', %(actor)s::text, %(token_id)s::integer, %(origin)s::text, %(action)s::text,
       %(order_ids)s::bigint[], %(account)s::text, %(reason)s::text, %(request)s::jsonb, %(before)s::jsonb
from (select set_config('synchronous_commit', 'off', true) as commits) as quick
where quick.commits = 'off';

-- name: add_done
-- A call's row with how it ended, once however often it is written; the disk isn't waited for.
insert into audit (call_id, step, actor, token_id, origin, action, order_ids, account, reason, request, after, outcome)
select %(call_id)s::uuid, 'done', %(actor)s::text, %(token_id)s::integer, %(origin)s::text, %(action)s::text,
       %(order_ids)s::bigint[], %(account)s::text, %(reason)s::text, %(request)s::jsonb, %(after)s::jsonb, %(outcome)s::text
from (select set_config('synchronous_commit', 'off', true) as commits) as quick
where quick.commits = 'off'
on conflict (call_id, step) do nothing;

-- name: list_audit
-- Calls, newest first: the last row of each, with what the one before it knows.
select
    last.id, coalesce(first.at, last.at) as at, last.actor, last.origin, last.action, last.order_ids, last.account,
    last.reason, last.request, first.before, last.after, last.outcome
from audit as last
left join audit as first on last.step = 'done' and first.call_id = last.call_id and first.step = 'asked'
where (last.step = 'done' or not exists (select from audit as done where done.call_id = last.call_id and done.step = 'done'))
  and (%(order_id)s::bigint is null or last.order_ids @> array[%(order_id)s::bigint])
  and (%(account)s::text is null or last.account = %(account)s)
  and (%(actor)s::text is null or last.actor = %(actor)s)
  and (%(since)s::timestamptz is null or last.at >= %(since)s)
  and (%(before_id)s::bigint is null or last.id < %(before_id)s)
order by last.id desc
limit %(limit)s;
