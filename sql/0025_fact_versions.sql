-- before-deploy
-- A fact says in which version of its form it was written: what a newer service told is kept for a newer one to weigh, and is for a person only
-- after several tries. Adds columns with constant defaults: no rewrite.

alter table facts
    add column version          smallint not null default 1 check (version > 0),
    -- How often nobody could weigh it, counted once a minute at most, and when last.
    add column failed_weighings smallint not null default 0,
    add column failed_at        timestamptz;
