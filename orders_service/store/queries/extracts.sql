-- The bytes of papers, and where they lie.

-- name: find
-- The stored file with this content.
select id, sha256, size_bytes, place from extracts where sha256 = %(sha256)s;

-- name: find_to_use
-- The same, and until the transaction ends nobody removes or moves it.
select id, sha256, size_bytes, place from extracts where sha256 = %(sha256)s for no key update;

-- name: add
-- A file whose bytes are still to come; nothing where its content is known already.
insert into extracts (sha256, size_bytes, place) values (%(sha256)s, %(size_bytes)s, null)
on conflict (sha256) do nothing;

-- name: set_place
-- The bytes lie there now, unless somebody else said where meanwhile.
update extracts set place = %(place)s, removed_at = null
where id = %(id)s and place is not distinct from %(old_place)s;

-- name: add_chunk
-- A piece of a file.
insert into extract_chunks (extract_id, position, data) values (%(extract_id)s, %(position)s, %(data)s)
on conflict (extract_id, position) do update set data = excluded.data;

-- name: find_piece
-- Bytes from a place of the file on, up to the end of the row in which they lie.
with laid as (
    select position, octet_length(data) as size,
           sum(octet_length(data)) over (order by position) - octet_length(data) as begins
    from extract_chunks
    where extract_id = %(extract_id)s
)
select substring(extract_chunks.data from (%(start)s::bigint - laid.begins)::integer + 1 for %(length)s::integer) as data
from laid
join extract_chunks on extract_chunks.extract_id = %(extract_id)s and extract_chunks.position = laid.position
where laid.begins <= %(start)s::bigint and laid.begins + laid.size > %(start)s::bigint;

-- name: remove_chunks
-- The bytes of a file that lie in the database.
delete from extract_chunks where extract_id = %(extract_id)s;

-- name: list_places
-- How much lies where.
select coalesce(place, '') as place, removed_at is not null as is_removed, count(*) as files,
       coalesce(sum(size_bytes), 0)::bigint as size_bytes
from extracts
group by 1, 2
order by 1, 2;

-- name: list_elsewhere
-- Files that lie elsewhere than here, by id.
select id, sha256, size_bytes, place from extracts
where place is not null and place <> %(place)s and id > %(after_id)s
order by id
limit %(limit)s;

-- name: list_all
-- Files with bytes, by id.
select id, sha256, size_bytes, place from extracts
where place is not null and id > %(after_id)s
order by id
limit %(limit)s;

-- name: list_without_bytes
-- Files whose bytes never came, though time enough has passed, or an order has them as its paper; by id.
select id, sha256, size_bytes, place from extracts
where place is null and removed_at is null and id > %(after_id)s
  and (stored_at < now() - interval '1 hour'
       or exists (select from order_extracts where order_extracts.extract_id = extracts.id))
order by id
limit %(limit)s;

-- name: list_old
-- Files that are old, and of which every order was over before a time, by id.
select id, sha256, size_bytes, place
from extracts
where place is not null and id > %(after_id)s and stored_at < %(before)s
  and not exists (
      select from order_extracts
      join orders on orders.id = order_extracts.order_id
      where order_extracts.extract_id = extracts.id
        and (orders.finished_at is null or orders.finished_at >= %(before)s or order_extracts.received_at >= %(before)s)
  )
order by id
limit %(limit)s;

-- name: take
-- A file to move or remove, locked: if it still lies there.
select id
from extracts
where id = %(id)s and place = %(place)s
for update;

-- name: has_young_orders
-- Whether an order of the file isn't over, or was over after a time.
select exists (
    select from order_extracts
    join orders on orders.id = order_extracts.order_id
    where order_extracts.extract_id = %(id)s
      and (orders.finished_at is null or orders.finished_at >= %(before)s or order_extracts.received_at >= %(before)s)
) as has;

-- name: remove
-- The bytes are gone; what is known of the file stays.
update extracts set place = null, removed_at = now() where id = %(id)s;
