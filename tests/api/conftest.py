"""Every answer of the API that a test gets is held against the OpenAPI document."""

import json
import re
from typing import Any

import jsonschema
import pytest

from tests.conftest import ApiClient

UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
UNDOCUMENTED = {404, 405}
"""What any address may answer that is none of the API's."""


class Contract:
    """The document of who may do everything, with answers that may hold nothing that it does not name."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.routes = [
            (re.compile(re.sub(r"\{on\}", "[^/]+", re.sub(r"\{[a-z_]+_id\}", UUID, path)) + r"\Z"), operations)
            for path, operations in document["paths"].items()
        ]
        self.components = {"schemas": {name: shut(one) for name, one in document["components"]["schemas"].items()}}
        self.validators: dict[str, Any] = {}

    def check(self, method: str, path: str, answer: Any) -> None:
        operation = next((ops.get(method) for route, ops in self.routes if route.match(path.partition("?")[0])), None)
        if operation is None:
            assert answer.status_code in UNDOCUMENTED | {401, 429, 500, 503}, (method, path, answer.status_code)
            return
        told = operation["responses"].get(str(answer.status_code))
        assert told is not None, f"{method} {path} answered {answer.status_code}, which the document does not tell of"
        content = told.get("content", {})
        if "application/json" not in content:
            assert answer.streaming or not answer.content, (method, path, answer.status_code)
            return
        schema = content["application/json"]["schema"]
        key = json.dumps(schema)
        if key not in self.validators:
            whole = {**schema, "components": self.components}
            self.validators[key] = jsonschema.Draft202012Validator(
                whole, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
            )
        found = sorted(self.validators[key].iter_errors(answer.json()), key=lambda error: len(error.absolute_path))
        assert not found, f"{method} {path}: {list(found[0].absolute_path)} {found[0].message[:400]}"


def shut(node: Any) -> Any:
    """The schema with every object that names its properties closed."""
    if isinstance(node, list):
        return [shut(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {name: shut(one) for name, one in node.items()}
    if isinstance(node.get("properties"), dict) and "type" in node:
        made.setdefault("additionalProperties", False)
    return made


contracts: list[Contract] = []


@pytest.fixture
def api(api: Any, owner: Any) -> Any:
    """As everywhere; each answer fits the document."""
    if not contracts:
        contracts.append(Contract(api(owner).get("/api/v1/openapi.json").json()))

    def with_contract(*args: Any, **kwargs: Any) -> ApiClient:
        client: ApiClient = api(*args, **kwargs)
        request = client.client.request

        def checked(**asked: Any) -> Any:
            answer = request(**asked)
            contracts[0].check(asked["REQUEST_METHOD"].lower(), asked["PATH_INFO"], answer)
            return answer

        client.client.request = checked  # type: ignore[method-assign]
        return client

    return with_contract
