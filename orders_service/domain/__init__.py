"""What an order, an account and a journal are, and the rules that need no database."""
