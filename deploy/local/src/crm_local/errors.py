"""What can keep the stack from running."""


class StackError(Exception):
    """The text is one sentence that says what is wrong and what to do; a log's last lines may follow it."""
