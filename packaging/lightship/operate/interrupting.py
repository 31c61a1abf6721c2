"""Takes back a deployment that was begun and interrupted: CloudFormation would carry it on without us."""

import time

from lightship.operate.aws import Clients
from lightship.operate.destroying import delete_kept, kept_by
from lightship.operate.stacks import ABSENT, Say, Sleep, read_stack, stack_status, wait_until_still

GOES_ON = "it goes on in the cloud, and ends by itself; `lightship status` tells how"


def undo(aws: Clients, name: str, *, new: bool, say: Say, sleep: Sleep = time.sleep) -> str:
    """Undo what is under way, and say what was found and done. `new` tells that nothing stood there before.

    A second Ctrl-C stops the waiting, not the undoing.
    """
    from botocore.exceptions import ClientError

    status, _ = stack_status(aws, name)
    try:
        if status == ABSENT:
            return "nothing was begun"
        if new and status in {"REVIEW_IN_PROGRESS", "CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"}:
            return _remove(aws, name, say, sleep)
        if status == "UPDATE_IN_PROGRESS":
            aws("cloudformation").cancel_update_stack(StackName=name)
            say("going back to what was deployed before")
            ended, _ = wait_until_still(aws, name, say, sleep)
            return f"the deployment was taken back ({ended})"
        if status.endswith("_IN_PROGRESS"):
            ended, _ = wait_until_still(aws, name, say, sleep)
            return f"it was past undoing, and came to its end ({ended})"
    except ClientError as error:
        return f"{name} is {status} and can't be stopped ({error}): {GOES_ON}"
    return f"nothing was under way any more ({status})"


def _remove(aws: Clients, name: str, say: Say, sleep: Sleep) -> str:
    """A first deployment goes whole: what its template keeps from others holds nothing yet."""
    stack = read_stack(aws, name)
    say("removing what was begun")
    aws("cloudformation").delete_stack(StackName=name)
    if stack is None:
        return "nothing was begun"
    ended, reason = wait_until_still(aws, stack.id, say, sleep)
    if ended != "DELETE_COMPLETE":
        return f"what was begun couldn't be removed: {name} is {ended} ({reason}). Try `lightship destroy`"
    left = delete_kept(aws, kept_by(stack), say)
    told = f", but for {', '.join(each.physical for each in left)}" if left else ""
    return f"what was begun is removed{told}"
