"""Calls as callers make them: signed, with a key, with a token; and what the commands ask for."""

import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner

from lightship.cli.main import cli
from lightship.cli.operate import ConsentError, consent
from lightship.gateway.messages import HttpRequest, HttpResponse
from lightship.loopback import LoopbackServer
from lightship.operate.aws import Aws, CloudError, MissingExtraError, OperateError, connect
from lightship.operate.calling import CallError, body_of, headers_of, send
from lightship.operate.project import load_project, locked, other_release
from lightship.operate.stacks import DeployedStack
from lightship.rehearsal.aws import RunCredentials
from lightship.rehearsal.front.signatures import is_signed
from lightship.toml_reader import ConfigError
from lightship_runtime.errors import LightshipError

CREDENTIALS = RunCredentials("AKIAIOSFODNN7EXAMPLE", "not-a-secret")
TOKEN = "a.b.c"  # noqa: S105 (nobody's)
STACK = DeployedStack("arn", "planes", "CREATE_COMPLETE", "", datetime(2026, 1, 1, tzinfo=UTC), {}, {}, ())


@pytest.fixture
def aws() -> Aws:
    return Aws(
        boto3.session.Session(
            aws_access_key_id=CREDENTIALS.access_key_id,
            aws_secret_access_key=CREDENTIALS.secret_access_key,
            region_name="eu-central-1",
        )
    )


@pytest.fixture
def received() -> list[HttpRequest]:
    return []


@pytest.fixture
def url(received: list[HttpRequest]) -> Iterator[str]:
    def answer(request: HttpRequest) -> HttpResponse:
        received.append(request)
        return HttpResponse(200, (("content-type", "application/json"),), request.body)

    with LoopbackServer(answer) as server:
        yield server.url


def test_a_call_is_signed_as_the_gateway_checks_it(aws: Aws, url: str, received: list[HttpRequest]) -> None:
    request = ("POST", f"{url}/predict?a=1", b'{"instances": []}')
    answer = send(request, headers_of("iam", aws, STACK, request, key=None, token=None))
    assert (answer.status, answer.body) == (200, b'{"instances": []}')
    assert is_signed(received[0], CREDENTIALS, "eu-central-1")
    assert not is_signed(received[0], RunCredentials(CREDENTIALS.access_key_id, "other"), "eu-central-1")


def test_keys_and_tokens_go_where_they_belong(aws: Aws, url: str) -> None:
    request = ("POST", f"{url}/predict", b"{}")
    assert headers_of("api_key", aws, STACK, request, key="k", token=None)["x-api-key"] == "k"
    assert headers_of("jwt", aws, STACK, request, key=None, token=TOKEN)["authorization"] == f"Bearer {TOKEN}"
    assert "authorization" not in headers_of("none", aws, STACK, request, key=None, token=None)
    with pytest.raises(OperateError, match="--token"):
        headers_of("jwt", aws, STACK, request, key=None, token=None)


@pytest.mark.parametrize("address", ["http://api.example.com/predict", "ftp://127.0.0.1/x", "predict"])
def test_nothing_travels_unencrypted_to_other_machines(address: str) -> None:
    with pytest.raises(OperateError, match="https://"):
        send(("GET", address, b""), {})


def test_an_address_that_does_not_answer_is_told() -> None:
    with pytest.raises(CallError, match="doesn't answer"):
        send(("GET", "http://127.0.0.1:1/ping", b""), {})


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('{"a": 1}', {"instances": [{"a": 1}]}),
        ('[{"a": 1}, {"a": 2}]', {"instances": [{"a": 1}, {"a": 2}]}),
        ('{"instances": []}', {"instances": []}),
        ('{"labels": []}', {"labels": []}),
    ],
)
def test_rows_are_wrapped_into_a_request(data: str, expected: Any, tmp_path: Path) -> None:
    body = body_of(data, None)
    assert body is not None
    assert json.loads(body) == expected
    (tmp_path / "rows.json").write_text(data)
    assert body_of(str(tmp_path / "rows.json"), None) == body


def test_data_that_is_no_request_is_refused(tmp_path: Path) -> None:
    for data in ("{", "nowhere.json"):
        with pytest.raises(OperateError, match="--data"):
            body_of(data, None)
    (tmp_path / "number.json").write_text("3")
    with pytest.raises(OperateError, match="one row"):
        body_of(str(tmp_path / "number.json"), None)
    assert body_of(None, None) is None


def test_without_region_credentials_or_boto3_the_error_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(CloudError, match="AWS_REGION"):
        connect()
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'lightship\[aws\]'"):
        connect("eu-central-1")


def test_what_needs_a_yes_fails_where_nobody_can_give_it(monkeypatch: pytest.MonkeyPatch) -> None:
    consent("Really?", yes=True)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(ConsentError, match="--yes"):
        consent("Really?", yes=False)


def test_a_project_with_stages_wants_one_named(tmp_path: Path) -> None:
    (tmp_path / "lightship.toml").write_text('[model]\nname = "planes"\n[stages.prod.endpoint]\nmemory = 512\n')
    with pytest.raises(ConfigError, match="--stage prod"):
        load_project(tmp_path, None)
    assert load_project(tmp_path, "prod").service == "planes-prod"


def test_a_release_that_is_not_here_is_told_where_to_get(tmp_path: Path) -> None:
    with pytest.raises(LightshipError, match="lightship package"):
        locked(tmp_path)
    with pytest.raises(OperateError, match="lightship pull"), other_release(tmp_path, "planes", "aaaa"):
        pass


@pytest.mark.parametrize("command", ["deploy", "status", "rollback", "destroy", "prune", "call", "push", "pull"])
def test_every_command_explains_itself(command: str) -> None:
    done = CliRunner().invoke(cli, [command, "--help"])
    assert done.exit_code == 0
    assert cli.commands[command].help
