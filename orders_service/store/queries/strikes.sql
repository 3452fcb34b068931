-- Trouble that orders met, and passwords that accounts sent.

-- name: strike
-- Count trouble of an order at a step, once a delivery; answers how often it came by now, and since when.
with struck as (
    insert into strikes (order_id, step, fence)
    values (%(order_id)s, %(step)s, %(fence)s)
    on conflict (order_id, step) do update
    set count = strikes.count + (strikes.fence < excluded.fence)::integer,
        last_at = case when strikes.fence < excluded.fence then clock_timestamp() else strikes.last_at end,
        fence = greatest(strikes.fence, excluded.fence)
    returning count, first_at
)
select count, extract(epoch from clock_timestamp() - first_at)::double precision as age_s
from struck;

-- name: count_password
-- A password is about to be sent, or (useful) the row of them is over.
update rosreestr_users
set passwords_sent = case when %(was_useful)s then 0 else passwords_sent + 1 end,
    password_sent_at = case when %(was_useful)s then null else clock_timestamp() end
where id = %(account_id)s and epoch = %(epoch)s;
