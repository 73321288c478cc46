"""The one way in which the local stack gives up."""


class StartError(Exception):
    """What keeps the service from starting, in one line that names the cure.

    ``log`` holds the last lines of the component that died, where one did.
    """

    def __init__(self, line: str, log: str = "") -> None:
        super().__init__(line)
        self.line = line
        self.log = log
