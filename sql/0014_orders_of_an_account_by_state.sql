-- before-deploy
-- no-transaction
-- ListOrders of an account in certain states: one with no hit read all orders of all accounts.
create index concurrently if not exists orders_of_an_account_by_state on orders (rosreestr_user_id, state, id);
