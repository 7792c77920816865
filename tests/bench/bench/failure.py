"""The one exception of the benchmark."""


class Failure(Exception):
    """Something could not be started or measured. The message is a sentence for the reader of the table."""
