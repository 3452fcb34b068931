-- before-deploy
-- Where the bytes of a file lie: `database` (extract_chunks), or the address of a folder or store. NULL: nowhere, not yet or not any more.

alter table extracts add column place text default 'database' check (length(place) > 0);
-- When the bytes were removed because of their age.
alter table extracts add column removed_at timestamptz;
