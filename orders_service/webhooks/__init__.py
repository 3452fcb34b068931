"""Webhooks: a client's address, what is to be told there, and how it gets there.

What is to be told is written by a trigger, with the event that it is about (`sql/…_webhooks.sql`). `relay` puts it on a
queue of its own, `senders` take it from there, `sending` makes one try. All of it may die at any instant: what was
written down is sent, once at least.
"""
