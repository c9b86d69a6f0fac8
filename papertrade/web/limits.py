"""How long and how much a client may take. Pure; docs/operations.md says why these are what they are."""

import re

# --- A request, before it takes a thread --------------------------------------------------------------------------------
MAX_HEAD_BYTES = 32_768
HEAD_SECONDS = 10.0  # from the connection, or the first byte of a further request, to the end of the headers
MAX_BODY_BYTES = 131_072  # the API's own bound is half of it, and has the better words
LARGE_BODIES = {"/v1/market/quotes/": 1_100_000}  # 1,000 pushed quotes
BODY_SECONDS = 20.0
BODY_IN_MEMORY_BYTES = 131_072  # a longer one waits in a file
# What was refused stays open for so long, or until its client goes: one still sending would not see the answer. A little of
# what he sends is read and dropped; more is not read, so that he fills the buffers of the system and costs nothing.
LINGER_SECONDS = 5.0
LINGER_BYTES = 32_768
# Who asks too often is told so (429) when the time is over after which he may ask again, or so much of it: who sends again at
# once is slowed, and who waits as he is told loses nothing. Meanwhile he has no thread, and his place is given away first.
HOLD_SECONDS = 5.0

# --- The threads --------------------------------------------------------------------------------------------------------
MAX_WAITING = 256  # requests of a process that wait for a thread; the next is answered with 503
MAX_WAITING_OF_ONE = 128  # of one key or session, and of all who have neither: 429
# Strangers of an address whose requests are worked on like everybody's; those that come after them in this minute give way.
STRANGERS_A_MINUTE = 50
NEWCOMER_THREADS = 1
# So long a thread that computes keeps the interpreter from one that wants it. A request asks the database a dozen times, and
# would wait for a report or an export Python's own 5 ms after each.
SWITCH_SECONDS = 0.001
# Whoever gives way waits while requests are worked on, in any worker, and until none was for a moment; but at most so long.
GIVE_WAY_SECONDS = 0.05
QUIET_SECONDS = 0.02
EXPORT_THREADS = 1
SLICE_SECONDS = 0.004  # an export computes so long, then gives way: a thirteenth of a thread is its own
MAX_EXPORTS_WAITING = 16
# Of one session, under way or waiting.
MAX_EXPORTS_OF_ONE = 2
EXPORTS = re.compile(r"/accounts/[^/]+/[^/]+\.csv|/admin/.+/export/")
# What reads a whole run is worked at one at a time; of one key or session so many are taken, under way or waiting.
REPORT_THREADS = 1
MAX_REPORTS_WAITING = 16
MAX_REPORTS_OF_ONE = 4
REPORTS = re.compile(
    r"/v1/paper/accounts/[^/]+/(performance|execution|trades|ledger/verify)/?|/v1/paper/compare/?"
    r"|/accounts/[^/]+/(performance/.*|trades/|trades\.csv)|/compare/(charts/)?"
)
VERIFY = re.compile(r"/accounts/[^/]+/ledger/")  # where the query has `verify`
PROBE_THREADS = 1
READY_SECONDS = 3.0  # in which it must be known whether this process can serve; a database that hangs says nothing
READY_KEPT_SECONDS = 1.0  # so long that answer is everybody's
READY_OF_ONE = 20  # questions of an address in a second; further ones wait for `HOLD_SECONDS`
FILE_THREADS = 1  # for static files, which are many at once and wait for no database: orders do not wait behind them

# --- An answer ----------------------------------------------------------------------------------------------------------
ANSWER_IN_MEMORY_BYTES = 262_144  # a longer one is spooled to a file
PIECE_BYTES = 65_536
SEND_BUFFER_BYTES = 131_072  # of the system, a connection; by itself it grows to megabytes for one who does not read
WRITE_SECONDS = 30.0  # a reader who takes less than a piece in so long is cut off

# --- A WebSocket --------------------------------------------------------------------------------------------------------
# Nothing is compressed, so a message is in memory what it was on the wire. 1,000 contracts on two channels are 50 kB.
MAX_MESSAGE_BYTES = 131_072
MAX_FRAGMENTS = 1_000  # of a message, which may be empty and so within its bytes for ever
IDENTIFY_SECONDS = 10.0  # from the handshake to a good key, whatever is said meanwhile
MAX_UNREAD_BYTES = 4_194_304  # pongs and what is being sent, for one who does not read

# --- Connections --------------------------------------------------------------------------------------------------------
IDLE_SECONDS = 75.0  # between two requests of one connection
BACKLOG = 1_024
LOOK_SECONDS = 0.5  # how often overdue connections are looked for
FILES_BESIDE_CONNECTIONS = 256  # of a process: database, Valkey, spools, logs

# --- Stopping -----------------------------------------------------------------------------------------------------------
FINISH_SECONDS = 5.0  # what is being answered at a stop may take so long
STOP_SECONDS = 8.0  # then the worker is killed; less than the supervisor's own patience
