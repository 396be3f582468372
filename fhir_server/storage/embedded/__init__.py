"""The store in one SQLite file, from the standard library: nothing to install, nothing to run."""

from fhir_server.storage.embedded.key_value import EmbeddedKeyValue
from fhir_server.storage.embedded.store import EmbeddedStore

__all__ = ["EmbeddedKeyValue", "EmbeddedStore"]
