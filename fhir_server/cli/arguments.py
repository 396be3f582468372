"""Settings as a command sees them: arguments first, then the environment, then defaults."""

from fhir_server.cli.refusal import Refusal
from fhir_server.config import InvalidSettings, Settings, load_settings


def settings_for(**given: object) -> Settings:
    """The settings with the arguments that are not None; Refusal if they cannot be meant."""
    try:
        return load_settings(**given)
    except InvalidSettings as error:
        raise Refusal(str(error)) from None
