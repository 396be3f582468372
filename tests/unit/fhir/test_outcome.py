"""OperationOutcomes are valid R4; fhir.resources is the judge."""

from fhir.resources.R4B.operationoutcome import OperationOutcome

from fhir_server.fhir.outcome import Issue, operation_outcome


def test_every_issue_is_told_in_order_and_empty_parts_are_left_out() -> None:
    outcome = operation_outcome(
        [
            Issue("error", "invalid", "No such day.", ("Patient.birthDate",)),
            Issue("warning", "not-supported", "Parameter ignored."),
        ]
    )
    assert outcome == {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "error",
                "code": "invalid",
                "diagnostics": "No such day.",
                "expression": ["Patient.birthDate"],
            },
            {"severity": "warning", "code": "not-supported", "diagnostics": "Parameter ignored."},
        ],
    }
    assert OperationOutcome.model_validate(outcome)


def test_with_nothing_to_tell_it_says_that_all_is_well() -> None:
    outcome = operation_outcome([])
    assert outcome["issue"][0]["severity"] == "information"
    assert OperationOutcome.model_validate(outcome)
