"""Jobs in numbers: where those of each state are found, and lists of them."""
