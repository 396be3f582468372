"""The faces for machines: FHIR over HTTP, and health for whoever watches the process."""
