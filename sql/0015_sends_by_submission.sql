-- before-deploy
-- no-transaction
-- Whether a submission was sent: asked at each repeated intent, and when a submission goes with its order.
create index concurrently if not exists sends_by_submission on sends (submission_id);
