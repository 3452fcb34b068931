"""The server-side steps, as Lua files, and what loads them."""
