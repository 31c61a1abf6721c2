"""Runs the emulator until its standard input closes, which it does when the rehearsal ends, however it ends.

Reads one JSON object from standard input, with `access_key_id`, `secret_access_key`, `account` and `region`, and prints
one when it answers, with `endpoint_url`.
"""

import json
import os
import signal
import socket
import sys
import threading
from typing import Any

from lightship.rehearsal.emulator import moto_seams
from lightship.rehearsal.emulator.application import Application
from lightship.rehearsal.emulator.clients import Clients
from lightship.rehearsal.emulator.cloudformation.api import Api
from lightship.rehearsal.emulator.cloudformation.engine import Engine
from lightship.rehearsal.emulator.cloudformation.stacks import Stacks
from lightship.rehearsal.emulator.codedeploy import CodeDeploy
from lightship.rehearsal.emulator.functions import Functions
from lightship.rehearsal.emulator.lambda_extras import LambdaExtras


def main() -> None:
    # The rehearsal decides when this ends: Ctrl-C reaches both of them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    given = json.loads(sys.stdin.readline())
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    port = listener.getsockname()[1]
    moto_seams.check_version()
    aws = Clients(endpoint_url=f"http://127.0.0.1:{port}", **given)
    moto_seams.prepare_environment(aws.account, port)
    functions = Functions(aws)
    try:
        _serve(listener, application(aws, functions))
        print(json.dumps({"endpoint_url": aws.endpoint_url}), flush=True)  # noqa: T201
        sys.stdin.read()
    finally:
        functions.close()
        sys.stdout.flush()
        os._exit(0)


def application(aws: Clients, functions: Functions) -> Application:
    """Wire the services together. moto is imported here, once its environment is set."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    is_issued = moto_seams.install(aws, functions)
    return Application(
        moto=DomainDispatcherApplication(create_backend_app),
        cloudformation=Api(Engine(Stacks(aws.account, aws.region), aws)),
        codedeploy=CodeDeploy(aws),
        lambda_extras=LambdaExtras(aws),
        is_known_key=lambda key: key == aws.access_key_id or is_issued(key),
    )


def _serve(listener: socket.socket, wsgi: Any) -> None:
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import make_server

    class Handler(MotoRequestHandler):
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Failures only."""
            if str(code).startswith("5"):
                sys.stderr.write(f"{self.command} {self.path} {code}\n")
            del size

    host, port = listener.getsockname()
    server = make_server(host, port, wsgi, threaded=True, request_handler=Handler, fd=listener.fileno())
    threading.Thread(target=server.serve_forever, name="emulator", daemon=True).start()


if __name__ == "__main__":
    main()
