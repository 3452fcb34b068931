-- What an extract says, in short, as orders_service.domain.summary reads it: kept with the paper, for lists, search and tables. NULL: it has none.

alter table order_extracts add column summary jsonb;

-- A ZIP can't be compressed again: trying costs time at each write. What is stored already stays as it is.
alter table extract_chunks alter column data set storage external;
