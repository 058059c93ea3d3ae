"""The errors that a user may see. Each message says what is wrong, where, and what to do."""


class Sem4dError(Exception):
    """Base of every error that is meant for the user."""


class InputError(Sem4dError):
    """Files, images or metadata that cannot be used as they are (exit code 1)."""


class SettingsError(Sem4dError):
    """Settings that contradict each other, miss a value, or hold an unknown key (exit code 2)."""


class StoreError(Sem4dError):
    """A result store that is damaged, cannot be written, or exists already (exit code 1)."""


class DomainError(Sem4dError):
    """A figure that is not valid for this surface, so it is refused (exit code 1)."""


class Cancelled(Sem4dError):
    """The user cancelled; what was finished is kept."""
