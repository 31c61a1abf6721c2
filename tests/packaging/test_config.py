"""lightship.toml: what is read, what is refused, and what the refusal says."""

import tomllib
from dataclasses import FrozenInstanceError, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from lightship.batch.config import BatchConfig
from lightship.config import Config, Jwt, Settings, load_config, parse_config
from lightship.toml_reader import ConfigError

FOLDER = Path("project")

WHOLE = """
allow_unproven = true

[model]
name = "flights"
path = "model.skops"
sample = "sample.parquet"
labels = "labels.csv"
task = "binary"

[package]
python = "3.12"
architecture = "arm64"
engine = "array"
include = ["features.py"]
golden = "synthetic"
budgets = { zip_mb = 10, init_ms = 500 }

[endpoint]
auth = "jwt"
throttle = { rate = 20, burst = 40 }
memory = 2048
snapstart = true
canary = "Linear10PercentEvery1Minute"
cors = ["https://example.com"]
jwt = { issuer = "https://issuer.example.com", audience = ["predictors"] }

[batch]
schedule = "rate(1 day)"
input = "s3://bucket/in/"
output = "s3://bucket/out/"
format = "csv"
concurrency = 4
key = ["id"]

[monitoring]
availability = 0.995
latency_ms = 200
accuracy_floor = 0.8
notify = ["oncall@example.com"]

[deploy]
tags = { team = "planes" }
vpc = { id = "vpc-1", subnets = ["subnet-1"], security_groups = ["sg-1"] }

[stages.dev.endpoint]
auth = "iam"

[stages.prod]
allow_unproven = false
[stages.prod.endpoint.throttle]
rate = 500
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "lightship.toml").write_text(WHOLE)
    return tmp_path


def test_every_key_is_read(project: Path) -> None:
    config = load_config(project)
    assert config.allow_unproven is True
    assert config.model.path == project / "model.skops"
    assert config.model.task == "binary"
    assert config.package.python == "3.12"
    assert config.package.include == (project / "features.py",)
    assert config.package.budgets.zip_mb == 10.0
    assert config.package.budgets.unzipped_mb is None
    assert config.endpoint.throttle.rate == 20.0
    assert config.endpoint.memory == 2048
    assert config.endpoint.jwt == Jwt("https://issuer.example.com", ("predictors",))
    assert config.batch == BatchConfig("rate(1 day)", "s3://bucket/in/", "s3://bucket/out/", "csv", 4, key=("id",))
    assert config.monitoring.notify == ("oncall@example.com",)
    assert config.deploy.tags == {"team": "planes"}
    assert config.stages == ("dev", "prod")
    assert config.service == "flights"


def test_a_stage_overrides_single_keys_and_keeps_the_rest(project: Path) -> None:
    prod = load_config(project / "lightship.toml", stage="prod")
    assert (prod.endpoint.throttle.rate, prod.endpoint.throttle.burst) == (500.0, 40)
    assert prod.endpoint.memory == 2048
    assert prod.allow_unproven is False
    assert prod.service == "flights-prod"
    assert load_config(project, stage="dev").endpoint.auth == "iam"


def test_an_empty_file_gives_closed_defaults() -> None:
    config = parse_config({}, folder=FOLDER)
    assert config.endpoint.auth == "iam"
    assert config.endpoint.cors == ()
    assert config.batch is None
    assert config.allow_unproven is False
    assert config.deploy.retain_data is True


def test_every_object_is_frozen() -> None:
    config = parse_config({"batch": {}}, folder=FOLDER)
    for entry in (config, *(getattr(config, field.name) for field in fields(Settings))):
        if is_dataclass(entry):
            with pytest.raises(FrozenInstanceError):
                setattr(entry, fields(entry)[0].name, None)


def batch(**keys: Any) -> dict[str, Any]:
    whole = {"schedule": "rate(1 day)", "input": "s3://bucket/in/", "output": "s3://bucket/out/", "key": ["id"]}
    return {"batch": {key: value for key, value in {**whole, **keys}.items() if value is not None}}


BATCHES_REFUSED = [
    (batch(key=None), 'has a schedule, but no key. Write key = ["id"]'),
    (batch(output=None), "has a schedule, but no output"),
    (batch(input="bucket/in/"), "batch.input in lightship.toml is 'bucket/in/'; use s3://bucket/prefix/"),
    (batch(output="s3://bucket/out"), "batch.output in lightship.toml is 's3://bucket/out'"),
    (batch(output="s3://bucket/in/scored/"), "batch.input s3://bucket/in/ and batch.output"),
    (batch(schedule="daily"), "batch.schedule in lightship.toml is 'daily'; write rate(1 day)"),
    (batch(schedule="cron(0 3 * * *)"), "batch.schedule in lightship.toml is 'cron(0 3 * * *)'"),
    (batch(schedule="cron(0 3 * * * *)"), "exactly one is ?"),
    (batch(timezone="Berlin"), "batch.timezone in lightship.toml is 'Berlin'"),
    (batch(encoding="runes"), "batch.encoding in lightship.toml is 'runes'; use one of Python's names"),
    (batch(delimiter=";;"), "batch.delimiter in lightship.toml is ';;'"),
    (batch(key=["id", "id"]), "batch.key in lightship.toml has 'id' twice"),
    (batch(flexible_minutes=2000), "batch.flexible_minutes in lightship.toml is 2000"),
    (batch(expected_every_h=200), "batch.expected_every_h in lightship.toml is 200; it lies in 1 to 168"),
]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"endpoints": {}}, "unknown key 'endpoints' in the top level. Did you mean 'endpoint'?"),
        ({"endpoint": {"memroy": 1}}, "unknown key 'memroy' in [endpoint]. Did you mean 'memory'?"),
        ({"endpoint": {"throttle": {"rte": 1}}}, "in [endpoint.throttle]. Did you mean 'rate'?"),
        ({"stages": {"prod": {"endpoint": {"aut": "iam"}}}}, "in [stages.prod.endpoint]. Did you mean 'auth'?"),
        ({"endpoint": {"auth": "imt"}}, "one of iam, jwt, api_key, none. Did you mean 'iam'?"),
        ({"endpoint": {"memory": 64}}, "endpoint.memory in lightship.toml is 64; it lies in 128 to 10240"),
        ({"endpoint": {"memory": True}}, "endpoint.memory in lightship.toml is True; write a whole number"),
        *BATCHES_REFUSED,
        ({"endpoint": {"timeout": "10"}}, "is '10'; write a whole number"),
        ({"endpoint": {"snapstart": 1}}, "write true or false"),
        ({"endpoint": {"log_retention_days": 31}}, "log_retention_days in lightship.toml is 31; it is one of 1, 3"),
        ({"endpoint": {"log_retention_days": True}}, "is True; it is one of"),
        ({"endpoint": {"cors": "*"}}, "endpoint.cors in lightship.toml is '*'; write a list"),
        ({"endpoint": {"cors": [1]}}, "endpoint.cors[0] in lightship.toml is 1; write a string"),
        ({"endpoint": {"jwt": {"issuer": "https://x"}}}, "lacks the key 'audience' in [endpoint.jwt]"),
        ({"endpoint": 3}, "write it as a table"),
        ({"monitoring": {"availability": float("nan")}}, "lies in 0.5 to"),
        ({"deploy": {"tags": {"a": 1}}}, "deploy.tags.a in lightship.toml is 1; write a string"),
        ({"model": {"name": "my_model"}}, "model.name in lightship.toml is 'my_model'; use letters"),
        ({"stages": []}, "write tables like [stages.prod.endpoint]"),
        ({"stages": {"pro d": {}}}, "The stage name 'pro d'"),
        ({"stages": {"prod": 1}}, "stages.prod in lightship.toml is 1"),
    ],
)
def test_a_mistake_names_its_key(document: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(document, folder=FOLDER)
    assert said in str(caught.value)


def test_an_unknown_stage_lists_the_known(project: Path) -> None:
    with pytest.raises(ConfigError, match=r"no stage 'staging'; it has dev, prod"):
        load_config(project, stage="staging")


def test_a_missing_or_broken_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="lightship init"):
        load_config(tmp_path)
    (tmp_path / "lightship.toml").write_text("[endpoint\n")
    with pytest.raises(ConfigError, match=r"isn't valid TOML: .*line 1"):
        load_config(tmp_path)


def test_a_whole_number_may_stand_for_a_number() -> None:
    config: Config = parse_config({"monitoring": {"latency_ms": 200}}, folder=FOLDER)
    assert config.monitoring.latency_ms == 200.0
    assert isinstance(config.monitoring.latency_ms, float)


def test_what_the_documentation_shows_is_read_and_its_defaults_are_the_defaults() -> None:
    text = (Path(__file__).parents[2] / "docs" / "deploying.md").read_text()
    defaults, given = (tomllib.loads(block.partition("```")[0]) for block in text.split("```toml\n")[1:])
    assert parse_config(defaults, folder=FOLDER) == parse_config({}, folder=FOLDER)
    config = parse_config(given, folder=FOLDER, stage="prod")
    assert config.endpoint.memory == 4096
    assert config.endpoint.throttle.burst == 100
