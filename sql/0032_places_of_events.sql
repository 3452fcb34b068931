-- before-deploy
-- Where each step of an order's life stands among all of them, for whoever watches: steps are told by (written_in, id), and only those below the
-- first transaction that isn't over. Ids alone won't do: they are drawn before the commit, so that a smaller one may come after a greater one was told.
-- A step is never placed before one of the same order that was there when it was written, also where its own transaction began earlier.
-- Adds a column without a default: no rewrite. What stands there already comes first, by its id.

alter table order_events add column written_in xid8;

create function place_order_event() returns trigger language plpgsql as $$
begin
    new.written_in := greatest(
        pg_current_xact_id(),
        (select written_in from order_events where order_id = new.order_id order by id desc limit 1)
    );
    return new;
end
$$;
-- The first step of an order brings its place along: ten thousand of them at once needn't be looked at one by one.
create trigger order_event_is_placed before insert on order_events
    for each row when (new.written_in is null) execute function place_order_event();
