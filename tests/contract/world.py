"""One of everything in a workspace, made through the API: what the generated tests take ids and requests from.

``World.ids`` says, for the name of a path parameter, the id of one thing of that kind. ``ROWS`` says, for a
route that needs more than ids in its path, a request that is good. A route with a body, or with a parameter
that is an id, and without a row, fails the tests that are generated from the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import httpx2
import msgspec
from tests.contract.making import proposal

from reverie.domain.findings import Citation, Counts, Effect, Finding
from reverie.domain.ids import derived_id
from reverie.domain.observations import Span
from reverie.server.endpoint import Endpoint, Upload
from reverie.storage.findings import put_findings

__all__ = ["ROWS", "Row", "World", "missing_rows", "parameters"]

_IN_PATH: Final = re.compile(r"{(\w+)}")
_FILE: Final = ("a.txt", b"text of a file", "text/plain")


@dataclass(frozen=True)
class Row:
    """What a request to a route says besides its path: each a function of the world that it is made in."""

    body: Callable[[World], Any] | None = None
    query: Callable[[World], dict[str, Any]] | None = None


def message(text: str) -> dict[str, Any]:
    return {"type": "user.message", "content": [{"type": "text", "text": text}]}


class World:
    """A workspace with one of everything, whose every text has ``canary`` in it."""

    def __init__(self, http: httpx2.Client, house: Any, canary: str) -> None:
        self.http = http
        self.house = house
        self.canary = canary
        self.ids: dict[str, str] = {}
        self._make()

    def __getitem__(self, name: str) -> str:
        return self.ids[name]

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        answer = self.http.post(path, json=body, **more)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        return answer.json()

    def get(self, path: str) -> Any:
        answer = self.http.get(path)
        assert answer.status_code == 200, f"{path}: {answer.text}"
        return answer.json()

    def _make(self) -> None:
        for make in (
            self._webhook, self._places, self._vault, self._file, self._memory,
            self._session, self._deployment, self._dream, self._import,
        ):  # fmt: skip
            make()
        at = f"/v1/organizations/webhooks/{self['webhook_endpoint_id']}/deliveries"
        self.ids["delivery_id"] = self.get(at)["data"][0]["id"]

    def _webhook(self) -> None:
        said = {
            "enabled_events": ["agent.created", "session.status_idled"],
            "url": "https://hooks.example/x",
            "name": self.canary,
        }
        self.ids["webhook_endpoint_id"] = self.post("/v1/organizations/webhooks", said)["id"]

    def _places(self) -> None:
        self.ids["agent_id"] = self.post("/v1/agents", {"name": self.canary, "model": "scripted:x"})["id"]
        own = {"name": self.canary, "config": {"type": "self_hosted"}}
        self.ids["environment_id"] = self.post("/v1/environments", own)["id"]
        self.ids["cloud_id"] = self.post("/v1/environments", {"name": self.canary})["id"]
        said = {"agent": self["agent_id"], "environment_id": self["environment_id"]}
        self.post("/v1/sessions", {**said, "initial_events": [message(self.canary)]})
        work = self.get(f"/v1/environments/{self['environment_id']}/work")["data"]
        self.ids["work_id"] = work[0]["id"]
        self.ids["model_id"] = "claude-opus-5"  # the same for everybody

    def _vault(self) -> None:
        vault = self.post("/v1/vaults", {"display_name": self.canary})["id"]
        auth = {
            "type": "static_bearer",
            "token": "tok-" + self.canary,
            "mcp_server_url": "https://mcp.invalid",
        }
        made = self.post(f"/v1/vaults/{vault}/credentials", {"display_name": self.canary, "auth": auth})
        self.ids |= {"vault_id": vault, "credential_id": made["id"]}

    def _file(self) -> None:
        made = self.http.post("/v1/files", files={"file": (self.canary + ".txt", self.canary.encode())})
        assert made.status_code == 200, made.text
        self.ids["file_id"] = made.json()["id"]

    def _memory(self) -> None:
        store = self.post("/v1/memory_stores", {"name": self.canary, "description": self.canary})["id"]
        at = f"/v1/memory_stores/{store}/memories"
        old = self.post(at, {"path": "/notes/a.md", "content": self.canary})
        new = self.post(f"{at}/{old['id']}", {"content": self.canary + " again"})
        self.ids |= {
            "memory_store_id": store,
            "memory_id": old["id"],
            "memory_version_id": old["memory_version_id"],
        }
        assert new["memory_version_id"] != old["memory_version_id"]

    def _session(self) -> None:
        team = {"type": "coordinator", "agents": [self["agent_id"]]}
        said = {
            "agent": self.post("/v1/agents", {"name": "lead", "model": "scripted:x", "multiagent": team})[
                "id"
            ],
            "environment_id": self["cloud_id"],
            "title": self.canary,
            "metadata": {"canary": self.canary},
        }
        session = self.post("/v1/sessions", said)["id"]
        sent = self.post(f"/v1/sessions/{session}/events", {"events": [message(self.canary)]})
        kept = self.post(f"/v1/sessions/{session}/resources", {"type": "file", "file_id": self["file_id"]})
        plan = self.post(f"/v1/sessions/{session}/plans", _plan(self))
        threads = self.get(f"/v1/sessions/{session}/threads")["data"]
        self.ids |= {
            "session_id": session,
            "event_id": sent["data"][0]["id"],
            "resource_id": kept["id"],
            "thread_id": threads[0]["id"],
            "plan_id": plan["id"],
        }

    def _deployment(self) -> None:
        made = self.post("/v1/deployments", _deployment(self))["id"]
        run = self.post(f"/v1/deployments/{made}/run")["id"]
        self.ids |= {"deployment_id": made, "deployment_run_id": run}

    def _dream(self) -> None:
        """A request for a dream, and what it would find: the miners would need hundreds of sessions."""
        dream = self.post("/v1/dreams", _dream(self))["id"]
        self.house.night("tests").work()
        run = self.house.dreams()[0]
        finding = _finding(self.canary, self["session_id"], self["event_id"])
        self.house.log._db.write(lambda conn: put_findings(conn, run.id, [finding]))
        found = proposal(self["memory_store_id"], content=self.canary, title=self.canary, dream_id=run.id)
        self.house.review.submit([replace(found, findings=(finding.id,))])
        schedule = self.post("/v1/dream_schedules", _dream_schedule(self))["id"]
        self.post(f"/v1/dream_schedules/{schedule}/run")
        self.ids |= {
            "dream_id": dream,
            "other_dream_id": dream,
            "finding_id": finding.id,
            "proposal_id": found.id,
        }
        self.ids |= {"dream_schedule_id": schedule}
        mark = self.post(f"/v1/findings/{finding.id}/exclusions", {"session_id": self["session_id"]})
        self.ids |= {"exclusion_id": mark["exclusions"][0]["id"]}
        trial = self.post("/v1/trials", _trial(self))["id"]
        self.ids |= {"trial_id": trial}
        policy = self.post("/v1/review_policies", _policy(self))["id"]
        self.ids |= {"review_policy_id": policy}

    def _import(self) -> None:
        told = b'{"messages": [{"role": "user", "content": "%s"}]}' % self.canary.encode()
        made = self.http.post("/v1/imports", files={"file": (self.canary + ".json", told)})
        assert made.status_code == 200, made.text
        self.ids["import_id"] = made.json()["id"]

    # ------------------------------------------------------------------ requests

    def path(self, endpoint: Endpoint, **other: str) -> str:
        """The endpoint's path with this world's ids; ``other`` takes the place of some."""
        return _IN_PATH.sub(lambda found: other.get(found[1]) or self[found[1]], endpoint.path)

    def said(self, endpoint: Endpoint) -> dict[str, Any]:
        """What a good request to the endpoint says besides its path: arguments of ``httpx2``."""
        row = ROWS.get((endpoint.method, endpoint.path), Row())
        told: dict[str, Any] = {}
        if row.query is not None:
            told["params"] = row.query(self)
        if endpoint.body is Upload:
            told["files"] = {"file": (self.canary, self.canary.encode())}
        elif row.body is not None:
            told["json"] = row.body(self)
        return told


def _deployment(w: World) -> dict[str, Any]:
    return {
        "name": w.canary,
        "agent": w["agent_id"],
        "environment_id": w["cloud_id"],
        "vault_ids": [w["vault_id"]],
        "initial_events": [message(w.canary)],
        "resources": [{"type": "memory_store", "memory_store_id": w["memory_store_id"]}],
    }


def _plan(w: World) -> dict[str, Any]:
    task = {"id": "a", "agent": w.canary, "prompt": w.canary}
    return {"plan": {"name": w.canary, "tasks": [task]}}


def _dream(w: World) -> dict[str, Any]:
    return {
        "inputs": [
            {"type": "memory_store", "memory_store_id": w["memory_store_id"]},
            {"type": "sessions", "session_ids": [w["session_id"]]},
        ],
        "model": "scripted:x",
        "output_behavior": {"type": "propose"},
        "instructions": w.canary,
    }


def _dream_schedule(w: World) -> dict[str, Any]:
    return {
        "memory_store_id": w["memory_store_id"],
        "name": w.canary,
        "trigger": {"type": "cron", "expression": "0 3 * * *", "timezone": "Europe/Berlin"},
        "instructions": w.canary,
        "metadata": {"canary": w.canary},
    }


def _trial(w: World) -> dict[str, Any]:
    return {"memory_store_id": w["memory_store_id"], "memory_id": w["memory_id"], "author": w.canary}


def _policy(w: World) -> dict[str, Any]:
    return {"memory_store_id": w["memory_store_id"], "why": w.canary, "author": w.canary}


def _finding(claim: str, session: str, event: str) -> Finding:
    return Finding(
        id=derived_id("find", session),
        key=session,
        kind="recurring_mistake",
        nature="behaviour",
        claim=claim,
        statement={},
        miner="test",
        miner_version="1",
        parameters={},
        counts=Counts(1, 1, 1, 1, 1, 1),
        effect=Effect(),
        p_value=None,
        p_adjusted=None,
        first_seen=None,
        last_seen=None,
        evidence=(Citation(session, Span(event, 1, "content[0].text", 0, 4)),),
        counter_evidence=(),
        origins=("user",),
        sessions=(session,),
    )


def _named(w: World) -> dict[str, Any]:
    return {"name": w.canary}


_VERSIONS: Final = "/v1/memory_stores/{memory_store_id}/memory_versions"
_MEMORIES: Final = "/v1/memory_stores/{memory_store_id}/memories"
_WORK: Final = "/v1/environments/{environment_id}/work"
_CREDENTIALS: Final = "/v1/vaults/{vault_id}/credentials"

ROWS: Final[dict[tuple[str, str], Row]] = {
    ("POST", "/v1/agents"): Row(
        lambda w: {
            "name": w.canary,
            "model": "scripted:x",
            "multiagent": {"type": "coordinator", "agents": [w["agent_id"]]},
        }
    ),
    ("POST", "/v1/agents/{agent_id}"): Row(lambda w: {"name": w.canary + " b"}),
    ("POST", "/v1/environments"): Row(_named),
    ("POST", "/v1/environments/{environment_id}"): Row(lambda w: {"description": w.canary}),
    ("POST", f"{_WORK}/{{work_id}}"): Row(lambda w: {"metadata": {"k": w.canary}}),
    ("POST", f"{_WORK}/{{work_id}}/heartbeat"): Row(
        query=lambda w: {"expected_last_heartbeat": "NO_HEARTBEAT"}
    ),
    ("POST", f"{_WORK}/{{work_id}}/stop"): Row(lambda w: {"force": True}),
    ("POST", "/v1/vaults"): Row(lambda w: {"display_name": w.canary}),
    ("POST", "/v1/vaults/{vault_id}"): Row(lambda w: {"display_name": w.canary}),
    ("POST", _CREDENTIALS): Row(
        lambda w: {
            "display_name": w.canary,
            "auth": {"type": "static_bearer", "token": "t", "mcp_server_url": "https://other.invalid"},
        }
    ),
    ("POST", f"{_CREDENTIALS}/{{credential_id}}"): Row(lambda w: {"display_name": w.canary}),
    ("GET", "/v1/files"): Row(query=lambda w: {"scope_id": w["session_id"]}),
    ("POST", "/v1/memory_stores"): Row(_named),
    ("POST", "/v1/memory_stores/{memory_store_id}"): Row(lambda w: {"description": w.canary}),
    ("GET", "/v1/memory_stores/{memory_store_id}/search"): Row(query=lambda w: {"query": w.canary}),
    ("POST", _MEMORIES): Row(lambda w: {"path": "/notes/b.md", "content": w.canary}),
    ("POST", f"{_MEMORIES}/{{memory_id}}"): Row(lambda w: {"content": w.canary + " more"}),
    ("GET", _VERSIONS): Row(query=lambda w: {"memory_id": w["memory_id"]}),
    ("GET", f"{_VERSIONS}/{{memory_version_id}}/diff"): Row(query=lambda w: {}),
    ("POST", "/v1/sessions"): Row(
        lambda w: {
            "agent": w["agent_id"],
            "environment_id": w["cloud_id"],
            "vault_ids": [w["vault_id"]],
            "resources": [
                {"type": "file", "file_id": w["file_id"]},
                {"type": "memory_store", "memory_store_id": w["memory_store_id"]},
            ],
        }
    ),
    ("GET", "/v1/sessions"): Row(query=lambda w: {"agent_id": w["agent_id"]}),
    ("GET", "/v1/session_search"): Row(query=lambda w: {"q": w.canary}),
    ("POST", "/v1/sessions/{session_id}"): Row(lambda w: {"title": w.canary + " b"}),
    ("POST", "/v1/sessions/{session_id}/outcome"): Row(
        lambda w: {"label": "success", "explanation": w.canary}
    ),
    ("POST", "/v1/sessions/{session_id}/events"): Row(lambda w: {"events": [message(w.canary)]}),
    ("POST", "/v1/sessions/{session_id}/resources"): Row(lambda w: {"type": "file", "file_id": w["file_id"]}),
    ("POST", "/v1/sessions/{session_id}/resources/{resource_id}"): Row(
        lambda w: {"authorization_token": "t"}
    ),
    ("POST", "/v1/sessions/{session_id}/threads/{thread_id}"): Row(lambda w: {"max_tokens": 10**6}),
    ("POST", "/v1/sessions/{session_id}/plans"): Row(_plan),
    ("POST", "/v1/sessions/{session_id}/plans/{plan_id}/stop"): Row(lambda w: {"why": w.canary}),
    ("POST", "/v1/deployments"): Row(_deployment),
    ("POST", "/v1/deployments/{deployment_id}"): Row(
        lambda w: {"name": w.canary, "environment_id": w["cloud_id"]}
    ),
    ("POST", "/v1/dreams"): Row(_dream),
    ("POST", "/v1/dreams/estimate"): Row(_dream),
    ("POST", "/v1/dream_schedules"): Row(_dream_schedule),
    ("POST", "/v1/dream_schedules/{dream_schedule_id}"): Row(
        lambda w: {"name": w.canary + " b", "trigger": {"type": "sessions", "every": 7}}
    ),
    ("POST", "/v1/trials"): Row(_trial),
    ("GET", "/v1/trials"): Row(query=lambda w: {"memory_store_id": w["memory_store_id"]}),
    ("POST", "/v1/trials/{trial_id}/end"): Row(lambda w: {"why": w.canary}),
    ("POST", "/v1/trials/{trial_id}/withdraw"): Row(lambda w: {"why": w.canary}),
    ("POST", "/v1/trials/{trial_id}/resume"): Row(lambda w: {"why": w.canary}),
    ("POST", "/v1/review_policies"): Row(_policy),
    ("POST", "/v1/review_policies/{review_policy_id}/archive"): Row(lambda w: {"author": w.canary}),
    ("GET", "/v1/review_policies"): Row(query=lambda w: {"memory_store_id": w["memory_store_id"]}),
    ("GET", "/v1/dream_schedules"): Row(query=lambda w: {"memory_store_id": w["memory_store_id"]}),
    ("GET", "/v1/proposals"): Row(
        query=lambda w: {"dream_id": w["dream_id"], "memory_store_id": w["memory_store_id"]}
    ),
    ("POST", "/v1/findings/{finding_id}/exclusions"): Row(
        lambda w: {"session_id": w["session_id"], "reason": w.canary}
    ),
    ("POST", "/v1/findings/{finding_id}/exclusions/{exclusion_id}/undo"): Row(lambda w: {}),
    ("POST", "/v1/proposals/bulk_look"): Row(lambda w: {"proposal_ids": [w["proposal_id"]]}),
    ("POST", "/v1/proposals/bulk_approve"): Row(lambda w: {"seen": {w["proposal_id"]: ""}, "note": w.canary}),
    ("POST", "/v1/proposals/{proposal_id}/approve"): Row(lambda w: {"note": w.canary}),
    ("POST", "/v1/proposals/{proposal_id}/modify"): Row(lambda w: {"content": w.canary}),
    ("POST", "/v1/proposals/{proposal_id}/reject"): Row(lambda w: {"reason": "wrong"}),
    ("POST", "/v1/proposals/{proposal_id}/undo"): Row(lambda w: {}),
    ("POST", "/v1/organizations/webhooks"): Row(
        lambda w: {
            "enabled_events": ["agent.created", "session.status_idled"],
            "url": "https://hooks.example/y",
        }
    ),
    ("POST", "/v1/organizations/webhooks/{webhook_endpoint_id}"): Row(lambda w: {"name": w.canary}),
    ("GET", "/v1/deployments"): Row(query=lambda w: {}),
    ("GET", "/v1/deployment_runs"): Row(query=lambda w: {"deployment_id": w["deployment_id"]}),
}


def parameters(endpoint: Endpoint) -> list[str]:
    """The names of the ids in the endpoint's path."""
    return _IN_PATH.findall(endpoint.path)


def missing_rows(endpoint: Endpoint) -> list[str]:
    """What the endpoint needs that neither the world nor a row has: fields that are ids by their name."""
    row = ROWS.get((endpoint.method, endpoint.path), Row())
    missing = [] if endpoint.body in (None, Upload) or row.body is not None else ["a body"]
    if endpoint.query is not None and row.query is None:
        fields = [field.encode_name for field in msgspec.structs.fields(endpoint.query)]
        missing += [
            name
            for name in fields
            if re.search(r"(^|_)ids?(\[\])?$", name) and name not in ("after_id", "before_id")
        ]
    return missing
