"""Takes back a deployment that was begun and interrupted: CloudFormation would carry it on without us."""

import time
from dataclasses import dataclass, replace

from lightship.operate.aws import Clients
from lightship.operate.destroying import delete_kept, kept_by
from lightship.operate.stacks import ABSENT, Say, Sleep, read_stack, stack_resources, stack_status, wait_until_still


@dataclass(frozen=True, slots=True)
class Undone:
    """What was found and done. `clean` says that all is as before, or as it was to become."""

    text: str
    clean: bool = True


def undo(aws: Clients, name: str, *, new: bool, say: Say, sleep: Sleep = time.sleep) -> Undone:
    """Undo what is under way. `new` tells that nothing stood there before.

    A second Ctrl-C stops the waiting, not the undoing.
    """
    from botocore.exceptions import ClientError

    status, _ = stack_status(aws, name)
    try:
        if status == ABSENT:
            return Undone("Interrupted before anything was begun.")
        if new and status in {"REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"}:
            return _remove(aws, name, say, sleep)
        if status == "UPDATE_IN_PROGRESS":
            aws("cloudformation").cancel_update_stack(StackName=name)
            say("interrupted: going back to what was deployed before")
        if status.endswith("_IN_PROGRESS"):
            status, _ = wait_until_still(aws, name, say, sleep)
    except ClientError as error:
        return Undone(
            f"Interrupted, but {name} is {status} and can't be stopped ({error}). It goes on in the cloud and ends by "
            "itself; `lightship status` tells how.",
            clean=False,
        )
    return Undone(f"Interrupted; {name} is at rest ({status}).", clean=not status.endswith("FAILED"))


def _remove(aws: Clients, name: str, say: Say, sleep: Sleep) -> Undone:
    """A first deployment goes whole: what its template keeps from others holds nothing yet."""
    from botocore.exceptions import ClientError

    say("interrupted: removing what was begun")
    stack = read_stack(aws, name)
    try:
        aws("cloudformation").delete_stack(StackName=name)
    except ClientError:
        # Not while it is being made: then as soon as it is.
        wait_until_still(aws, name, say, sleep)
        stack = read_stack(aws, name)
        aws("cloudformation").delete_stack(StackName=name)
    if stack is None:
        return Undone("Interrupted; what was begun is removed.")
    ended, reason = wait_until_still(aws, stack.id, say, sleep)
    if ended not in {"DELETE_COMPLETE", ABSENT}:
        told = f"Interrupted, and what was begun couldn't be removed: {name} is {ended} ({reason})."
        return Undone(f"{told} Try `lightship destroy`.", clean=False)
    # More was made between the look and the deletion.
    stack = replace(stack, resources=stack_resources(aws, stack.id))
    left = delete_kept(aws, kept_by(stack), say)
    if left:
        names = ", ".join(each.physical for each in left)
        return Undone(f"Interrupted; what was begun is removed, but for {names}.", clean=False)
    return Undone("Interrupted; what was begun is removed.")
