"""`rosq top`: the views of `rosq inspect` in a terminal that stays open. It only reads."""
