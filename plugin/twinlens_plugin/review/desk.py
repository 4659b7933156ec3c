"""What the pages of plans share: drafts, jobs, runs, and making a plan of what was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from twinlens.catalogue import Catalogue
from twinlens_plugin.groups import Group
from twinlens_plugin.planning import planned
from twinlens_plugin.plans import PlannedGroup
from twinlens_plugin.relations import Cursor, Duplicates
from twinlens_plugin.review.drafts import Drafts, plan_id
from twinlens_plugin.review.groups import Query, parsed, wanted_by
from twinlens_plugin.review.jobs import Jobs
from twinlens_plugin.review.problems import Refused
from twinlens_plugin.review.runs import Runs
from twinlens_plugin.review.state import State
from twinlens_plugin.wanted import Wanted

MOST_CHOSEN = 10_000
"""Groups that can be chosen one by one. Accepting all that is listed has no such limit."""


@dataclass(frozen=True, slots=True)
class Desk:
    """One for each running page."""

    state: State
    drafts: Drafts
    jobs: Jobs
    runs: Runs

    @classmethod
    def of(cls, state: State) -> Self:
        """Set it up; nothing is read yet."""
        library = state.session.library
        return cls(state, Drafts(library.folder / "plans"), Jobs(state.session), Runs(library))

    def make(self, body: Mapping[str, Any]) -> tuple[str, int]:
        """Make a draft of what a request asks for.

        Return its id, and how many of the chosen groups are no groups any more. Raises Refused,
        PlanError, and what filters raise.
        """
        self.sweep()
        with self.state.catalogue() as catalogue:
            if body.get("groups") is None:
                query = _query(body.get("filters", ""))
                wanted = wanted_by(self.state, catalogue, query)
                groups: Iterator[Group] = (
                    found.group
                    for found in Duplicates(catalogue, self.state.session.settings, wanted)
                )
                missing = 0
                references = _references(wanted)
            else:
                chosen, references, missing = self._chosen(catalogue, _entries(body["groups"]))
                groups = iter(chosen)
            library = catalogue.meta("catalogue_id") or ""
            return self.drafts.add(library, _each_once(planned(groups)), references), missing

    def _chosen(
        self, catalogue: Catalogue, entries: Sequence[tuple[str, str, str]]
    ) -> tuple[list[Group], tuple[bytes, ...], int]:
        """Return the chosen groups that still are, the references, and how many are none any more."""
        groups: dict[str, Group] = {}
        references: dict[bytes, None] = {}
        for filters in dict.fromkeys(entry[2] for entry in entries):
            names = {name: cursor for name, cursor, of in entries if of == filters}
            wanted = wanted_by(self.state, catalogue, _query(filters))
            contents = {Cursor.parse(cursor).place[1] for cursor in names.values()}
            found = Duplicates(catalogue, self.state.session.settings, wanted).around(contents)
            groups |= {one.group.name: one.group for one in found if one.group.name in names}
            references |= dict.fromkeys(_references(wanted))
        missing = len({entry[0] for entry in entries} - groups.keys())
        return list(groups.values()), tuple(references), missing

    def sweep(self) -> None:
        """Remove old plans that nobody carried out, and what old jobs said."""
        now = self.state.clock()
        self.jobs.sweep(now)
        used = {run.plan for run in self.runs.all()} | {job.plan for job in self.jobs.all()}
        self.drafts.sweep(used, now)

    def applied(self, draft: str) -> bool:
        """Tell whether a draft's plan was carried out, or is being so: nothing is left out any more."""
        plan = plan_id(self.drafts.file(draft))
        job = self.jobs.of_draft(draft)
        if job is not None and job.plan == plan and self.jobs.progress(job).running:
            return True
        return any(run.plan == plan for run in self.runs.all())


def _references(wanted: Wanted) -> tuple[bytes, ...]:
    return (*wanted.references, *wanted.against)


def _query(text: object) -> Query:
    if not isinstance(text, str):
        raise Refused("filters: must be as in the address of the list.")
    return parsed(text.removeprefix("?"))


def _entries(given: object) -> list[tuple[str, str, str]]:
    """Return the name, cursor and filters of chosen groups. Raises Refused."""
    wrong = Refused("groups: must be a list of {name, cursor, filters}.")
    if not isinstance(given, list) or not 0 < len(given) <= MOST_CHOSEN:
        raise wrong
    entries = []
    for one in given:
        if not isinstance(one, dict):
            raise wrong
        entry = (one.get("name"), one.get("cursor"), one.get("filters", ""))
        if not all(isinstance(part, str) for part in entry):
            raise wrong
        entries.append(entry)
    return entries  # type: ignore[return-value]  # strings, as was looked at


def _each_once(groups: Iterator[PlannedGroup]) -> Iterator[PlannedGroup]:
    """Leave out groups with a photo that an earlier one has: chosen under other filters, it may be in both."""
    seen: set[bytes] = set()
    for group in groups:
        paths = [photo.path for photo in group.photos]
        if seen.isdisjoint(paths):
            seen.update(paths)
            yield group
