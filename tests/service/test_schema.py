"""Whatever is asked, the service answers as its own OpenAPI schema says, and refuses what the schema does not allow."""

from __future__ import annotations

import json

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis import GenerationMode
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import positive_data_acceptance

from stan.service.access import Tokens
from stan.service.app import build
from stan.service.calls import LibraryCalls
from stan.service.limits import Limits
from tests.service.conftest import made_up
from tests.support.service import running

TOKEN = "0123456789abcdef"
GIVEN = {"Authorization": f"Bearer {TOKEN}"}
EXAMPLES = 40
"""Requests for each route and mode."""

bounded = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)


def service(calls: LibraryCalls) -> FastAPI:
    return build(calls, Limits(per_minute=10**9), Tokens([TOKEN]))


DOCUMENT = service(made_up()).openapi()
ROUTES = [(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods]


@pytest.fixture(scope="module")
def schema(library_calls):
    with running(service(library_calls)) as address:
        yield schemathesis.openapi.from_url(f"{address}/openapi.json", headers=GIVEN)


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_every_answer_is_as_described(schema, method, path, mode):
    route = schema[path][method]
    if mode is GenerationMode.NEGATIVE and not (route.body or route.query or route.path_parameters):
        pytest.skip("there is nothing to get wrong")

    @bounded
    @given(case=route.as_strategy(generation_mode=mode))
    def ask(case):
        # the token is always given, so that a case in which only the header is wrong asks rightly
        wrong = [
            place for place, part in case.meta.components.items() if part.mode is GenerationMode.NEGATIVE
        ]
        assume(mode is GenerationMode.POSITIVE or wrong != [ParameterLocation.HEADER])
        # a schema cannot say that bytes are a video, an id a video's, or a text a query
        reply = case.call_and_validate(headers=GIVEN, excluded_checks=[positive_data_acceptance])
        assert str(reply.status_code) in DOCUMENT["paths"][path][method]["responses"]

    ask()


def test_every_route_says_how_it_refuses():
    calls = {
        (path, method): set(operation["responses"])
        for path, methods in DOCUMENT["paths"].items()
        for method, operation in methods.items()
    }
    assert len(calls) == 18
    for (path, _), statuses in calls.items():
        if path.startswith("/v1"):
            assert statuses >= {"401", "403", "413", "422", "429", "504"}, path
    errors = [
        reply["content"]["application/json"]["schema"]
        for methods in DOCUMENT["paths"].values()
        for operation in methods.values()
        for status, reply in operation["responses"].items()
        if int(status) >= 400
    ]
    assert {json.dumps(one) for one in errors} == {'{"$ref": "#/components/schemas/Error"}'}
