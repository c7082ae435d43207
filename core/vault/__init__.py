"""Secrets at rest: sealed, checked against their master keys, and moved to newer ones."""

from core.vault.vault import BrokenSeal, Vault, sealed_version

__all__ = ["BrokenSeal", "Vault", "sealed_version"]
