"""What is submitted in one turn of the event loop is handed over together.

Each handing over costs a switch between threads, which take turns in running Python.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from jobs.submission.submissions import Outcome, Request, Submissions
from jobs.submission.submit import Submitted

Answer = asyncio.Future[Submitted]


class Submitting:
    """The event loop's side of submissions."""

    def __init__(self, submissions: Submissions) -> None:
        self._submissions = submissions
        self._asked: list[tuple[Request, Answer]] = []

    async def submit(self, request: Request) -> Submitted:
        """The queued job, or what is wrong with it. A caller that leaves meanwhile changes nothing."""
        loop = asyncio.get_running_loop()
        answer: Answer = loop.create_future()
        if not self._asked:
            loop.call_soon(self._hand_over, loop)
        self._asked.append((request, answer))
        return await answer

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        asked, self._asked = self._asked, []
        answers = [answer for _, answer in asked]

        def tell(outcomes: Sequence[Outcome]) -> None:
            loop.call_soon_threadsafe(_settle, answers, outcomes)

        self._submissions.add([request for request, _ in asked], tell)


def _settle(answers: Sequence[Answer], outcomes: Sequence[Outcome]) -> None:
    for answer, outcome in zip(answers, outcomes, strict=True):
        if answer.done():
            # Whoever asked has gone.
            continue
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)
