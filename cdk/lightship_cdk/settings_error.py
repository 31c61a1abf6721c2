"""What is wrong with settings, told before anything is synthesised."""

from lightship_runtime.errors import LightshipError


class SettingsError(LightshipError):
    """Two settings exclude each other, or one lacks another that it needs."""
