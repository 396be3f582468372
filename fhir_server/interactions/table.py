"""The whole REST surface, a row for each interaction.

https://hl7.org/fhir/R4/http.html

HTTP, bundle entries, the command line and tests all enter here. HEAD is GET without a body.
"""

from fhir_server.interactions.bundle import bundle
from fhir_server.interactions.capabilities import capabilities
from fhir_server.interactions.context import Interaction
from fhir_server.interactions.create import create
from fhir_server.interactions.delete import conditional_delete, delete
from fhir_server.interactions.history import history
from fhir_server.interactions.operations.table import operate
from fhir_server.interactions.patch import conditional_patch, patch
from fhir_server.interactions.read import read
from fhir_server.interactions.routing import Table
from fhir_server.interactions.search import (
    search_compartment,
    search_system,
    search_type,
)
from fhir_server.interactions.update import conditional_update, update
from fhir_server.interactions.vread import vread

TABLE = Table(
    [
        Interaction("capabilities", "GET", "metadata", answer=capabilities),
        Interaction("read", "GET", "[type]/[id]", answer=read),
        Interaction("vread", "GET", "[type]/[id]/_history/[vid]", answer=vread),
        Interaction("update", "PUT", "[type]/[id]", decide=update),
        Interaction("patch", "PATCH", "[type]/[id]", decide=patch),
        Interaction("delete", "DELETE", "[type]/[id]", decide=delete),
        Interaction("history-instance", "GET", "[type]/[id]/_history", answer=history),
        Interaction("create", "POST", "[type]", decide=create),
        Interaction("conditional-update", "PUT", "[type]", decide=conditional_update),
        Interaction("conditional-patch", "PATCH", "[type]", decide=conditional_patch),
        Interaction("conditional-delete", "DELETE", "[type]", decide=conditional_delete),
        Interaction("search-type", "GET", "[type]", answer=search_type),
        Interaction("search-type", "POST", "[type]/_search", answer=search_type),
        Interaction("search-system", "GET", "", answer=search_system),
        Interaction("search-system", "POST", "_search", answer=search_system),
        Interaction("search-compartment", "GET", "[type]/[id]/[member]", answer=search_compartment),
        Interaction(
            "search-compartment", "POST", "[type]/[id]/[member]/_search", answer=search_compartment
        ),
        Interaction("search-compartment", "POST", "[type]/[id]/_search", answer=search_compartment),
        Interaction("history-type", "GET", "[type]/_history", answer=history),
        Interaction("history-system", "GET", "_history", answer=history),
        Interaction("bundle", "POST", "", answer=bundle),
        Interaction("operation", "GET", "$", answer=operate),
        Interaction("operation", "POST", "$", answer=operate),
        Interaction("operation", "GET", "[type]/$", answer=operate),
        Interaction("operation", "POST", "[type]/$", answer=operate),
        Interaction("operation", "GET", "[type]/[id]/$", answer=operate),
        Interaction("operation", "POST", "[type]/[id]/$", answer=operate),
    ]
)
