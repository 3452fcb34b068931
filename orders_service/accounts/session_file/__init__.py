"""A session as browsers export it, in whatever form: read, told apart by sites and time, and never guessed at.

    read_session(content, "lk.rosreestr.ru", now_s=time.time())  ->  SessionFile(cookies, expired, …)

Pure: bytes in, cookies out; no service, no database. No error says a value.
"""

from orders_service.accounts.session_file.found import SessionFile, SessionUnreadable
from orders_service.accounts.session_file.reading import MAX_FILE_BYTES, read_session

__all__ = ["MAX_FILE_BYTES", "SessionFile", "SessionUnreadable", "read_session"]
