"""What stops a start, told in one line for the person at the console."""


class StartError(Exception):
    """The message is one line that says what is wrong and what to do."""
