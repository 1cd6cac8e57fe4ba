"""Values that a user gave, as typed settings."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from neds.errors import UserError

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], values: object, *, where: str) -> Model:
    """`values` as settings of type `model`.

    Args:
        where: what holds them, for messages.

    Raises:
        UserError: one line per fault.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = [
            f"{where}, {'.'.join(map(str, fault['loc']))}: {fault['msg'].lower()}"
            if fault["loc"]
            else f"{where}: {fault['msg'].lower()}"
            for fault in error.errors()
        ]
        raise UserError("\n".join(faults)) from None
