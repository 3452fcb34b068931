"""How Redis is reached: connections, and what is asked over them."""
