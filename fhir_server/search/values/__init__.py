"""How the values of each search type are indexed and searched, one module a type.

https://hl7.org/fhir/R4/search.html#ptypes

Every module has

    test(parameter: Parameter, value: str, context: Context) -> Test
        The test for one value as written in the query, escapes and prefix included, modifiers
        left out. BadRequest says what is wrong with a value and what would be right.
    present(parameter: Parameter) -> Test
        The test that a resource has any value, for `:missing`.

and, but for `composite`, indexers by the FHIR type of the element:

    INDEXERS: Mapping[str, Indexer]      (Indexed) -> (element, Entries) -> None

`date` depends on the zone and `reference` on the base, so theirs are made by `indexers(...)`;
`table.py` lists all types and makes the indexers of all. A composite is indexed by
`composite.indexer(parts, zone, base_url)`, one call for the elements of all its parts.
"""
