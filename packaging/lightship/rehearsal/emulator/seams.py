"""How every part of the emulator that changes moto puts its own in place of moto's."""


def replace(owner: object, name: str, by: object) -> None:
    """Have `owner`, a class or module of moto's, use `by` under this name from now on."""
    setattr(owner, name, by)
