"""The one table of all endpoints. A resource file makes its rows; here they are only put together.

To add a resource: import its file here and add its ``ENDPOINTS``. The generated tests then ask for its ids.
"""

from __future__ import annotations

from typing import Final

from reverie.server import (
    agents,
    audit,
    credentials,
    deployment_runs,
    deployments,
    dream_comparisons,
    dream_schedules,
    dreams,
    environments,
    events,
    files,
    findings,
    imports,
    memories,
    memory_stores,
    memory_versions,
    models,
    plans,
    policies,
    proposals,
    replays,
    session_resources,
    session_search,
    sessions,
    threads,
    trials,
    vaults,
    webhooks,
    work,
)
from reverie.server.endpoint import Endpoint

__all__ = ["ENDPOINTS"]

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *agents.ENDPOINTS,
    *environments.ENDPOINTS,
    *work.ENDPOINTS,
    *vaults.ENDPOINTS,
    *credentials.ENDPOINTS,
    *files.ENDPOINTS,
    *models.ENDPOINTS,
    *memory_stores.ENDPOINTS,
    *memories.ENDPOINTS,
    *memory_versions.ENDPOINTS,
    *sessions.ENDPOINTS,
    *session_search.ENDPOINTS,
    *events.ENDPOINTS,
    *threads.ENDPOINTS,
    *plans.ENDPOINTS,
    *session_resources.ENDPOINTS,
    *deployments.ENDPOINTS,
    *deployment_runs.ENDPOINTS,
    *dreams.ENDPOINTS,
    *dream_comparisons.ENDPOINTS,
    *dream_schedules.ENDPOINTS,
    *findings.ENDPOINTS,
    *proposals.ENDPOINTS,
    *replays.ENDPOINTS,
    *trials.ENDPOINTS,
    *policies.ENDPOINTS,
    *imports.ENDPOINTS,
    *audit.ENDPOINTS,
    *webhooks.ENDPOINTS,
)
