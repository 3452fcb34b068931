"""Orders from the client's side: all of a call are accepted or none, looked at, and their extracts fetched.

Knows neither queue nor portal: what happens to an order afterwards is `orders_service.life`.
"""
