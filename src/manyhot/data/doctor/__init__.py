"""The doctor: what is in a table, what will go wrong with it, and what mends it."""

from manyhot.data.doctor.diagnosis import Diagnosis, Finding
from manyhot.data.doctor.examine import examine

__all__ = ["Diagnosis", "Finding", "examine"]
