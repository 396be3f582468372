"""An expression that is compiled once and evaluated many times.

http://hl7.org/fhirpath/N1/
"""

from functools import lru_cache
from typing import Any, Final

from fhir_server.definitions.elements import ElementTable
from fhir_server.fhirpath import code
from fhir_server.fhirpath.checking import check
from fhir_server.fhirpath.compiling import Compiler
from fhir_server.fhirpath.errors import FhirPathTooCostly
from fhir_server.fhirpath.evaluation import STEPS_BETWEEN_LOOKS, Environment, Evaluation
from fhir_server.fhirpath.items import Element, Item
from fhir_server.fhirpath.model import Model, root
from fhir_server.fhirpath.parser import parse

ALONE: Final = Environment()
"""Nothing lent: no references, no terminology."""


class Expression:
    """Safe to share between threads."""

    def __init__(self, text: str, compiler: Compiler) -> None:
        tree = parse(text)
        compiled = compiler.compile(tree)
        self.text = text
        self.tree = tree
        self._many = compiled.many
        self._truth = code.truth(compiled, 0)

    def evaluate(
        self,
        context: Element | dict[str, Any] | None,
        environment: Environment = ALONE,
        *,
        resource: Element | None = None,
        root_resource: Element | None = None,
    ) -> list[Item]:
        """What the expression finds, in a list of its own.

        The context is a resource, an element of one, or None for an empty one. `resource` is
        the resource an element is in (that element's outermost parent, if not given), and
        `root_resource` the one that contains that. Raises FhirPathEvaluationError,
        FhirPathTooCostly.
        """
        evaluation = _evaluation(context, environment, resource, root_resource)
        try:
            return list(self._many(evaluation, evaluation.context))
        except RecursionError:
            raise _too_deep() from None

    def holds(
        self,
        context: Element | dict[str, Any] | None,
        environment: Environment = ALONE,
        *,
        resource: Element | None = None,
        root_resource: Element | None = None,
    ) -> bool | None:
        """The result as a Boolean: one item that is none is true, no item is None."""
        evaluation = _evaluation(context, environment, resource, root_resource)
        try:
            answer: bool | None = self._truth(evaluation, evaluation.context)
        except RecursionError:
            raise _too_deep() from None
        return answer

    def __str__(self) -> str:
        return self.text


def compile(  # noqa: A001 - the word for it
    text: str, elements: ElementTable, type_: str | None = None, *, order: bool = False
) -> Expression:
    """The expression a text is, for the types of one publication.

    With the type it will be evaluated on, such as `Patient`, it is checked strictly: names that
    type cannot have are refused, and with `order` also the first of what has no order. Raises
    FhirPathSyntaxError, FhirPathSemanticError: both tell what is wrong, and where.
    """
    compiler = _compiler(elements)
    expression = Expression(text, compiler)
    if type_ is not None:
        check(expression.tree, compiler.model, type_, order=order)
    return expression


@lru_cache(maxsize=8)
def _compiler(elements: ElementTable) -> Compiler:
    return Compiler(Model(elements))


def _evaluation(
    context: Element | dict[str, Any] | None,
    environment: Environment,
    resource: Element | None,
    root_resource: Element | None,
) -> Evaluation:
    element = root(context) if isinstance(context, dict) else context
    if resource is None and element is not None:
        resource = element
        while resource.parent is not None:
            resource = resource.parent
    items: list[Item] = [] if element is None else [element]
    steps = environment.steps
    pause = 0 if environment.expired is None else max(0, steps - STEPS_BETWEEN_LOOKS)
    return Evaluation(environment, items, resource, root_resource or resource, steps, pause, {})


def _too_deep() -> FhirPathTooCostly:
    return FhirPathTooCostly("The expression, or what it is evaluated on, is nested too deeply.")
