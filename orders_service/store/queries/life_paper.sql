-- What came of an order on paper.

-- name: find_paper
-- As what this file was brought for the order.
select p.kind
from order_extracts p
join extracts e on e.id = p.extract_id
where p.order_id = %(order_id)s and e.sha256 = %(sha256)s;

-- name: add_paper
-- Keep the file for the order. A file that was put aside and now is brought as something else counts as the latter.
insert into order_extracts (order_id, extract_id, kind, file_name, registration_number, formed_on, reason, summary)
values (%(order_id)s, %(extract_id)s, %(kind)s, %(file_name)s, nullif(%(registration_number)s, ''), nullif(%(formed_on)s, ''),
        nullif(%(reason)s, ''), %(summary)s::jsonb)
on conflict (order_id, extract_id) do update
set kind = excluded.kind, file_name = excluded.file_name, registration_number = excluded.registration_number,
    formed_on = excluded.formed_on, reason = excluded.reason, summary = excluded.summary;
