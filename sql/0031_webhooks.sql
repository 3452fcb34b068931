-- before-deploy
-- Where clients are told of their orders: an address belongs to a client's access token, and what is to be told there is written by the same
-- statement as the event itself, so that nothing is missed, whoever writes the event and however its transaction ends. Adds a trigger to
-- order_events, under a lock of an instant.

create table webhooks (
    id                      integer generated always as identity primary key,
    token_id                integer not null unique references tokens,
    url                     text not null check (length(url) between 1 and 2000),
    -- The address may be inside the network, and spoken to without TLS there.
    is_private_allowed      boolean not null default false,
    -- Sealed for this token: it has to be readable, to sign.
    secret_sealed           text not null,
    -- The one before signs beside it until then.
    previous_secret_sealed  text,
    previous_until          timestamptz,
    created_at              timestamptz not null default clock_timestamp(),
    created_by              text not null,
    -- Switched off: nothing is written down for it, nothing is sent.
    off_at                  timestamptz,
    off_by                  text,
    off_reason              text,
    -- How its address does. Since when nothing was taken there; how many tries in a row; until when it is left in peace.
    failing_since           timestamptz,
    failures                integer not null default 0,
    paused_until            timestamptz,
    last_delivered_at       timestamptz,
    last_failed_at          timestamptz,
    last_error              text,
    check ((off_at is null) = (off_by is null) and (off_at is null) = (off_reason is null)),
    check ((previous_secret_sealed is null) = (previous_until is null)),
    check ((failing_since is null) = (failures = 0))
);

create table webhook_notifications (
    id            bigint generated always as identity primary key,
    webhook_id    integer not null references webhooks,
    order_id      bigint not null references orders on delete cascade,
    event_id      bigint not null references order_events on delete cascade,
    -- pending: to be sent, or on the queue for it. behind: an earlier one of the same order comes first.
    state         text not null default 'pending' check (state in ('pending', 'behind', 'delivered', 'given_up')),
    -- NULL: to be put on the queue.
    relayed_at    timestamptz,
    -- Begun; one that nobody saw the end of counts.
    attempts      integer not null default 0,
    created_at    timestamptz not null default clock_timestamp(),
    -- From when on it is counted how long it is being tried: a person may have it sent again.
    tried_from    timestamptz not null default clock_timestamp(),
    attempted_at  timestamptz,
    finished_at   timestamptz,
    -- Of the last try.
    http_status   integer,
    error         text,
    unique (webhook_id, event_id),
    check ((state in ('delivered', 'given_up')) = (finished_at is not null)),
    check (state <> 'behind' or relayed_at is null)
);
-- The relay's query.
create index webhook_notifications_to_relay on webhook_notifications (id) where state = 'pending' and relayed_at is null;
-- Which ones of an order are before another; and the list by order.
create index webhook_notifications_open on webhook_notifications (webhook_id, order_id, id) where state in ('pending', 'behind');
create index webhook_notifications_by_order on webhook_notifications (order_id, id);
-- What the queue should have, to compare it with what it has; and the list by state.
create index webhook_notifications_by_state on webhook_notifications (state, id);
-- What is old enough to be forgotten.
create index webhook_notifications_by_end on webhook_notifications (finished_at) where finished_at is not null;
-- References: a row of order_events that goes.
create index webhook_notifications_by_event on webhook_notifications (event_id);

create function add_webhook_notifications() returns trigger language plpgsql as $$
begin
    -- Most systems have none: they pay for this look, once a statement.
    if exists (select from webhooks where off_at is null) then
        insert into webhook_notifications (webhook_id, order_id, event_id)
        select webhooks.id, fresh.order_id, fresh.id
        from fresh
        join orders on orders.id = fresh.order_id
        join tokens on tokens.client = orders.client
        join webhooks on webhooks.token_id = tokens.id
        where fresh.kind = 'transition' and webhooks.off_at is null
          and tokens.revoked_at is null and coalesce(tokens.ends_at > clock_timestamp(), true)
        order by fresh.id;
        -- Nobody is notified: a commit that notifies holds one lock of the whole server until it is on disk, and the gate's would wait for others'.
    end if;
    return null;
end
$$;
create trigger order_events_for_webhooks after insert on order_events
    referencing new table as fresh for each statement execute function add_webhook_notifications();

-- Wakes the relay for what comes after another one, and for what is to be sent again.
create function notify_webhook_relay() returns trigger language plpgsql as $$
begin
    perform pg_notify('webhooks_to_relay', '');
    return null;
end
$$;
create trigger webhook_notifications_to_relay_again after update of state, relayed_at on webhook_notifications
    for each row when (new.state = 'pending' and new.relayed_at is null) execute function notify_webhook_relay();
