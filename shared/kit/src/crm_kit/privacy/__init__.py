"""Privacy requests: what a person may ask for, each service does its part of, and gives a receipt of."""

from crm_kit.privacy.erasing import begin_erasures
from crm_kit.privacy.following import PrivacyPart
from crm_kit.privacy.holdings import Holding, PersonalData, Taken
from crm_kit.privacy.repository import is_erased
from crm_kit.privacy.repository import note_keys as note_forgotten
from crm_kit.privacy.tables import FORGOTTEN_KEY, PRIVACY_TABLES, PRIVACY_TASK

__all__ = [
    "FORGOTTEN_KEY",
    "PRIVACY_TABLES",
    "PRIVACY_TASK",
    "Holding",
    "PersonalData",
    "PrivacyPart",
    "Taken",
    "begin_erasures",
    "is_erased",
    "note_forgotten",
]
