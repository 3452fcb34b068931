-- before-deploy
-- Whose order it is: the name of the client's token, empty for what was accepted without one. An instant.

alter table orders add column client text not null default '' check (length(client) <= 200);
