-- before-deploy
-- What a send that was settled as absent may still have made is looked for in the list of the account that made it: each send says when that was,
-- and each order how often it was called for in vain. Adds columns with constant defaults: no rewrite.

alter table sends
    -- When the sender's list was last read in full to look for a late row. NULL: not yet.
    add column looked_at timestamptz;
alter table orders
    add column look_tries smallint not null default 0;

-- When an order that gets to this state is to be looked for once more: with its number at once (at its collection), without one after a day.
-- NULL: nothing of it may turn up.
create function first_look_at(order_id bigint, state order_state) returns timestamptz language sql volatile as $$
    select case $2 when 'registered' then clock_timestamp() else clock_timestamp() + interval '1 day' end
    where exists (select from sends s where s.order_id = $1 and (s.outcome = 'absent' or s.outcome is null and $2 = 'failed'))
$$;
