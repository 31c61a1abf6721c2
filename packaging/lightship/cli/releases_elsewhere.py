"""`lightship call`, `push` and `pull`."""

import sys
from pathlib import Path

import click

from lightship.cli.operate import FOLDER, place_of, project_option, stage_option
from lightship.cli.output import json_option, print_json, progress

PREDICT = "/predict"


@click.command("call")
@project_option
@stage_option
@click.option("--data", metavar="FILE|JSON", help="A row, several, or a whole request; - reads stdin.")
@click.option("--path", default=PREDICT, show_default=True, help="The route.")
@click.option("--url", help="Another address, such as a rehearsal's.  [default: the stack's]")
@click.option("--api-key", envvar="LIGHTSHIP_API_KEY", help="A caller's key.  [default: the stack's own]")
@click.option("--token", envvar="LIGHTSHIP_TOKEN", help="A token of your issuer, for auth = jwt.")
def call_command(
    *,
    project: Path,
    stage: str | None,
    data: str | None,
    path: str,
    url: str | None,
    api_key: str | None,
    token: str | None,
) -> None:
    """Call the deployed endpoint with your own credentials, and print its answer.

    Without --data, /predict gets the first golden row of the locked release.
    """
    from lightship.operate.calling import CallError, body_of, headers_of, send
    from lightship.operate.project import locked
    from lightship.operate.stacks import deployed_stack

    with place_of(project, stage) as place:
        stack = deployed_stack(place.aws, place.stack)
        example = locked(place.project).folder if path == PREDICT and data is None else None
        body = body_of(sys.stdin.read() if data == "-" else data, example)
        address = (url or stack.output("EndpointUrl")).rstrip("/") + path
        request = ("GET" if body is None else "POST", address, body or b"")
        auth = place.config.endpoint.auth
        answer = send(request, headers_of(auth, place.aws, stack, request, key=api_key, token=token))
    text = answer.body.decode(errors="replace")
    if not answer.ok:
        raise CallError(f"{address} answered {answer.status}: {text}")
    click.echo(text)


@click.command("push")
@click.argument("release", type=FOLDER)
@click.argument("url", metavar="s3://BUCKET/PREFIX")
@click.option("--region", help="Where the bucket is.  [default: the environment's]")
@json_option
def push_command(*, release: Path, url: str, region: str | None, as_json: bool) -> None:
    """Put the folder RELEASE under a prefix in S3, for other stages and machines."""
    from lightship.operate.aws import aws_errors, connect
    from lightship.operate.shelf import Prefix, push

    shelf, aws = Prefix.parse(url), connect(region)
    with aws_errors(), progress() as say:
        pushed, new = push(aws, release, shelf, say)
    place = f"{shelf}/{pushed.name}/{pushed.version}"
    if as_json:
        print_json({"release": place, "digest": pushed.digest, "uploaded": new})
        return
    click.echo(f"{place} {'is there' if new else 'was there already'}, digest {pushed.digest}")


@click.command("pull")
@click.argument("url", metavar="s3://BUCKET/PREFIX")
@click.option("--name", help="The model's name, where the prefix has several.")
@click.option("--version", help="A release's version, or its beginning.  [default: the last pushed]")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default="dist", show_default=True)
@click.option("--region", help="Where the bucket is.  [default: the environment's]")
@json_option
def pull_command(
    *, url: str, name: str | None, version: str | None, out: Path, region: str | None, as_json: bool
) -> None:
    """Fetch a release from S3 to OUT/NAME/VERSION, verified, whole or not at all."""
    from lightship.operate.aws import aws_errors, connect
    from lightship.operate.shelf import Prefix, choose, pull, shelved

    shelf, aws = Prefix.parse(url), connect(region)
    with aws_errors(), progress() as say:
        wanted = choose(shelved(aws, shelf, name), version, shelf)
        place = pull(aws, shelf, wanted, out, say)
    if as_json:
        print_json({"release": str(place), "name": wanted.name, "version": wanted.version})
        return
    click.echo(f"{place} holds {wanted.name} {wanted.version}, as it was sealed.")
