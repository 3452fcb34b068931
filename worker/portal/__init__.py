"""The client of the Rosreestr portal, for one account: typed calls, the paid call, and the check of what comes.

    client = PortalClient(PortalSettings(url=...), Credentials(login=..., password=...))
    with client.pausing_with(delivery.sleep): ...

What can go wrong is in `worker.portal.errors`; what the portal is known to do, in docs/portal.md.
"""
