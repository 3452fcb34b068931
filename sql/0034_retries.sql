-- before-deploy
-- A person may try an order again that is over: a decision like the others. Looks through the decisions once; there are few.

alter table decisions drop constraint decisions_kind_check;
alter table decisions add constraint decisions_kind_check check (kind in ('number', 'absent', 'resume', 'give_up', 'retry'));
