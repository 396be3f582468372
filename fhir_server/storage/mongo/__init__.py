"""The store in MongoDB: for an institution on a replica set, for a region sharded."""

from fhir_server.storage.mongo.blobs import MongoBlobs
from fhir_server.storage.mongo.key_value import MongoKeyValue
from fhir_server.storage.mongo.store import MongoStore

__all__ = ["MongoBlobs", "MongoKeyValue", "MongoStore"]
