"""The way to a running orders service, for whoever calls it: by TLS or plain, with an access token or without.

One description for the command line and the worker. A proxy that the environment names is left aside: the service is
inside the company, and a proxy outside of it would be told its tokens.
"""
