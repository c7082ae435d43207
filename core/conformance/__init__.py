"""Conformance: what every adapter has to be and do, tried on its declaration and against its sandbox."""

from core.conformance.case import AdapterConformance
from core.conformance.suite import CHECKS, Verdict, examine

__all__ = ["CHECKS", "AdapterConformance", "Verdict", "examine"]
