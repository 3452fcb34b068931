"""What others call: the contracts of `proto/`, answered. No rule of an order is here."""
