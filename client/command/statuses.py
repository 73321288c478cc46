"""Exit statuses. docs/cli.md says what each means, and a test holds it to this list."""

OK = 0
JOB_DID_NOT_SUCCEED = 1
USAGE = 2
REFUSED = 3
NO_ANSWER = 4
NOT_YET = 5
INTERRUPTED = 130
