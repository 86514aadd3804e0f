"""Progress: a bar on a terminal, lines elsewhere."""

import threading
import time
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_LINE_S, _SHARE = 5.0, 0.05
"""A line after so many seconds; after a twentieth of what has passed, if that is longer."""


class Bar(Progress):
    """Progress on a terminal; elsewhere a line for each new phase, and every few seconds how far it is."""

    def __init__(self, console: Console, quiet: bool, transient: bool = False) -> None:
        self._lines, self._ended = not (quiet or console.is_terminal), threading.Event()
        self._teller = threading.Thread(target=self._tell_on, daemon=True)
        super().__init__(
            TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
            TimeRemainingColumn(), TextColumn("{task.fields[live]}", markup=False), console=console,
            disable=not console.is_terminal or quiet, transient=transient,
        )  # fmt: skip

    def start(self) -> None:
        """Begin to show."""
        if self._lines:
            self._teller.start()
        super().start()

    def stop(self) -> None:
        """End it."""
        self._ended.set()
        if not self.disable:
            super().stop()

    def add_task(self, description: str, start: bool = True, total: float | None = None, completed: int = 0,
                 visible: bool = True, **fields: Any) -> TaskID:  # fmt: skip
        """Add what is under way; total None: not known yet. live: what is told behind it."""
        task = super().add_task(description, start, total, completed, visible, **{"live": "", **fields})
        self._tell(task)
        return task

    def update(self, task_id: TaskID, **changes: Any) -> None:
        """Say how far it is."""
        before = self._tasks[task_id].description
        super().update(task_id, **changes)
        if self._tasks[task_id].description != before:
            self._tell(task_id)

    def _tell_on(self) -> None:
        began = time.monotonic()
        while not self._ended.wait(max(_LINE_S, _SHARE * (time.monotonic() - began))):
            for task in self.tasks:
                if not task.finished:
                    self._tell(task.id)

    def _tell(self, task_id: TaskID) -> None:
        if self._lines:
            self.console.print(_line(self._tasks[task_id]), style="dim", highlight=False, soft_wrap=True)


def _line(task: Task) -> str:
    """Return how far a task is: done of all, seconds, and how many are left at the speed measured so far."""
    done = f"{task.completed:,.0f} of {task.total:,.0f}" if task.total and task.completed else ""
    taken = f"{task.elapsed:.0f} s" if task.elapsed and task.elapsed >= 1 else ""
    left = f"about {task.time_remaining:.0f} s left" if task.time_remaining else ""
    told = ", ".join(filter(None, (done, taken, left, str(task.fields["live"]))))
    return f"{task.description}: {told}" if told else f"{task.description} …"
