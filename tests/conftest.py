"""What holds for all tests."""

import signal

# A shell has what it runs in the background ignore Ctrl-C, and what that starts inherits it: the tests of an interrupt would find that nothing happens.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
