"""The life of an order: every change of it, one use case at a time, each in one transaction.

A use case locks the account (so that its epoch can't rise meanwhile), then the order, weighs the facts that wait,
decides, and changes the order by one conditional update with its line of history. A crash anywhere before the commit
leaves nothing of it; every use case may be repeated after a lost answer, and the repeat changes nothing more.
"""
