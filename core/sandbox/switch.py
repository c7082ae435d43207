"""What of a sandbox is set when it starts: arguments of its constructor that the command line offers."""

from inspect import signature

import msgspec


class Switch(msgspec.Struct, frozen=True, kw_only=True):
    """An argument of a sandbox's constructor, of the type of its default there: a number from 0 up, a bool, a choice.

    `says` is a sentence for `--help`: what is set, or of a bool what becomes of the platform when it is switched over.
    """

    name: str
    says: str
    choices: tuple[str, ...] = ()

    def option(self, platform: str, kind: type) -> str:
        """Its name on the command line, such as `--acme-tier`, and `--acme-no-videos` for what is usually so."""
        word = self.name.replace("_", "-")
        return f"--{platform.lower()}-{f'no-{word}' if self.usual(kind) is True else word}"

    def usual(self, kind: type) -> str | float | bool:
        """The default in the constructor of the sandbox `kind`."""
        usual: str | float | bool = signature(kind).parameters[self.name].default
        return usual
