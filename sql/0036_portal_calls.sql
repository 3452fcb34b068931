-- before-deploy
-- How many calls to the portal were reserved for an account on a day of Moscow: no restart and no move of its worker forgets one. Counted together for
-- all accounts of one person at the portal. A new table; nothing is locked.

create table portal_calls (
    account_id integer not null references rosreestr_users on delete cascade,
    day        date    not null,
    -- Not all of them were made: what a worker that died had left of its block counts as if.
    reserved   integer not null check (reserved >= 0),
    primary key (account_id, day)
);
