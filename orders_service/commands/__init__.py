"""The commands of `orders-service`, one module each."""
