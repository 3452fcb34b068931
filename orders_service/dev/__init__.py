"""The whole system on one machine: embedded servers, and every part as a child process. For development and the demo.

    command   the click command `orders-service dev`
    stack     brings the parts up, in order, and waits until each is really ready
    demo      runs real orders through the stack and judges the result
    children  child processes: started, watched, ended in order
    folder    where the state lies: lock, secrets, ports, logs
    postgres, valkey   the embedded servers
    launcher  a stand-alone script that each child starts through

Nothing here runs in production, and nothing of it is imported by the service.
"""

from __future__ import annotations
