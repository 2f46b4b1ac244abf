"""What is not offered says so: the SDK raises its typed error for a 501, and does not try again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import pytest
from tests.contract import serving

from reverie.server.app import App

CALLS: dict[str, Callable[[anthropic.Anthropic], Any]] = {
    "messages": lambda c: c.messages.create(
        model="claude-opus-5", max_tokens=1, messages=[{"role": "user", "content": "hello"}]
    ),
    "count tokens": lambda c: c.messages.count_tokens(
        model="claude-opus-5", messages=[{"role": "user", "content": "hello"}]
    ),
    "batches": lambda c: c.messages.batches.list(),
    "beta messages": lambda c: c.beta.messages.create(
        model="claude-opus-5", max_tokens=1, messages=[{"role": "user", "content": "hello"}]
    ),
    "skills": lambda c: c.beta.skills.list(),
    "skill": lambda c: c.beta.skills.retrieve("skill_1"),
    "user profiles": lambda c: c.beta.user_profiles.list(),
    "tunnels": lambda c: c.beta.tunnels.list(),
    "users": lambda c: c.beta.organization.users.list(),
    "invites": lambda c: c.beta.organization.invites.list(),
    "workspaces": lambda c: c.beta.organization.workspaces.list(),
    "api keys": lambda c: c.beta.organization.api_keys.list(),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_sdk_raises_its_error_for_what_is_not_offered(
    client: anthropic.Anthropic, call: Callable[[anthropic.Anthropic], Any]
) -> None:
    with pytest.raises(anthropic.HTTPNotImplementedError) as refused:
        call(client)
    assert refused.value.status_code == 501
    assert refused.value.request_id and refused.value.request_id.startswith("req_")
    assert refused.value.api_message


def test_it_does_not_try_again(api: App) -> None:
    asked = 0

    async def counting(scope: Any, receive: Any, send: Any) -> None:
        nonlocal asked
        asked += 1
        await api(scope, receive, send)

    with serving.sync_http(counting) as http:
        client = anthropic.Anthropic(api_key="x", base_url=serving.BASE, http_client=http, max_retries=5)
        with pytest.raises(anthropic.HTTPNotImplementedError):
            client.beta.skills.list()
    assert asked == 1


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PUT"])
def test_any_path_below_and_any_method(http: httpx2.Client, method: str) -> None:
    assert http.request(method, "/v1/skills/a/versions/b/content").status_code == 501
    assert http.request(method, "/v1/organizations/users/me").status_code == 501
    assert http.request(method, "/v1/skillset").status_code == 404
    assert http.request(method, "/v1/organizations/webhooks/a/nothing").status_code == 404
